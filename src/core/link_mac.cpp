#include "link_mac.h"

#include <cstring>
#include <string>

#include "base64url.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"   // see link_keys.cpp

namespace hls {

namespace {

constexpr unsigned char kVersion = 1;

unsigned char *put(unsigned char *to, std::uint64_t n, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) *to++ = static_cast<unsigned char>(n >> shift);
  return to;
}

unsigned char *put_text(unsigned char *to, std::string_view text) {
  to = put(to, text.size(), 4);
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

void hash_text(SHA256_CTX &state, std::string_view text) {
  unsigned char size[4];
  put(size, text.size(), 4);
  SHA256_Update(&state, size, sizeof(size));
  SHA256_Update(&state, text.data(), text.size());
}

// The end of a message whose last `size` bytes fit one block with the padding (FIPS 180-4 5.1.1): most of
// what SHA256_Update and SHA256_Final do is then in the way.
constexpr std::size_t kLastBlock = SHA256_CBLOCK - 9;

void hash_last_block(SHA256_CTX &state, unsigned char *block, std::size_t size) {
  block[size] = 0x80;
  std::memset(block + size + 1, 0, kLastBlock - size);
  put(block + SHA256_CBLOCK - 8, (static_cast<std::uint64_t>(state.Nh) << 32 | state.Nl) + 8 * size, 8);
  SHA256_Transform(&state, block);
}

unsigned char *put_state(unsigned char *to, const SHA256_CTX &state, int words) {
  for (int i = 0; i < words; ++i) to = put(to, state.h[i], 4);
  return to;
}

}  // namespace

SHA256_CTX mac_shared(const LinkKey &key, const SharedFields &fields) {
  SHA256_CTX state = key.inner();
  // One update: a multivariant playlist has a directory per rendition.
  unsigned char usual[1024];
  std::string unusual;
  std::size_t room = fields.bind.size() + fields.stream.size() + fields.origin_and_directory.size() + 128;
  if (room > sizeof(usual)) unusual.resize(room);
  unsigned char *begin = unusual.empty() ? usual : reinterpret_cast<unsigned char *>(unusual.data());

  unsigned char *p = begin;
  *p++ = kVersion;
  *p++ = static_cast<unsigned char>(fields.kind);
  p = put(put(p, fields.exp, 8), fields.end, 8);
  p = put_text(put_text(p, fields.bind), fields.stream);
  p = put_text(p, fields.origin_and_directory.substr(0, fields.origin_size));
  p = put_text(p, fields.origin_and_directory.substr(fields.origin_size));
  while ((p - begin) % SHA256_CBLOCK) *p++ = 0;
  SHA256_Update(&state, begin, static_cast<std::size_t>(p - begin));
  return state;
}

void mac_finish(const LinkKey &key, SHA256_CTX state, const OwnFields &fields, char *text) {
  unsigned char head[SHA256_CBLOCK];
  unsigned char *p = head;
  *p++ = static_cast<unsigned char>((fields.has_query ? 1 : 0) | (fields.true_name ? 2 : 0) |
                                    (fields.at ? 4 : 0) | (fields.variables.empty() ? 0 : 8));
  p = put(p, fields.name.size(), 2);
  p = put(p, fields.query.size(), 2);
  if (fields.at) {
    p = put(p, fields.at->parent, 3);
    p = put(p, fields.at->sequence, 8);
    p = put(p, static_cast<std::uint32_t>(fields.at->part), 4);
  }
  auto size = static_cast<std::size_t>(p - head);
  bool fits = size + fields.name.size() + fields.query.size() <= kLastBlock && !fields.true_name &&
              fields.variables.empty();
  unsigned char block[SHA256_CBLOCK];
  if (fits) {   // the usual name
    std::memcpy(p, fields.name.data(), fields.name.size());
    size += fields.name.size();
    if (!fields.query.empty()) std::memcpy(head + size, fields.query.data(), fields.query.size());
    hash_last_block(state, head, size + fields.query.size());
    put_state(block, state, 8);
  } else {
    SHA256_Update(&state, head, size);
    SHA256_Update(&state, fields.name.data(), fields.name.size());
    if (!fields.query.empty()) SHA256_Update(&state, fields.query.data(), fields.query.size());
    if (fields.true_name) hash_text(state, *fields.true_name);
    if (!fields.variables.empty()) hash_text(state, fields.variables);
    SHA256_Final(block, &state);
  }

  state = key.outer();
  hash_last_block(state, block, SHA256_DIGEST_LENGTH);
  unsigned char digest[kMacBytes];
  put_state(digest, state, kMacBytes / 4);
  base64url_encode(text, {reinterpret_cast<const char *>(digest), kMacBytes});
}

}  // namespace hls
