#include "link_mac.h"

#include <cstring>

#include "base64url.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"   // see link_keys.cpp

namespace hls {

namespace {

constexpr unsigned char kVersion = 1;

unsigned char *put(unsigned char *to, std::uint64_t n, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) *to++ = static_cast<unsigned char>(n >> shift);
  return to;
}

void hash_text(SHA256_CTX &state, std::string_view text) {
  unsigned char size[4];
  put(size, text.size(), 4);
  SHA256_Update(&state, size, sizeof(size));
  SHA256_Update(&state, text.data(), text.size());
}

}  // namespace

SHA256_CTX mac_shared(const LinkKey &key, const SharedFields &fields) {
  SHA256_CTX state = key.inner();
  unsigned char head[18] = {kVersion, static_cast<unsigned char>(fields.kind)};
  put(put(head + 2, fields.exp, 8), fields.end, 8);
  SHA256_Update(&state, head, sizeof(head));
  hash_text(state, fields.bind);
  hash_text(state, fields.stream);
  hash_text(state, fields.origin_and_directory.substr(0, fields.origin_size));
  hash_text(state, fields.origin_and_directory.substr(fields.origin_size));

  static constexpr unsigned char kZeros[SHA256_CBLOCK] = {};
  if (state.num) SHA256_Update(&state, kZeros, SHA256_CBLOCK - state.num);
  return state;
}

void mac_finish(const LinkKey &key, SHA256_CTX state, const OwnFields &fields, char *text) {
  // One buffer, one update: with a usual name all of this fits the last block.
  unsigned char head[256];
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
  if (fields.name.size() <= sizeof(head) - 32) {
    std::memcpy(p, fields.name.data(), fields.name.size());
    SHA256_Update(&state, head, static_cast<std::size_t>(p - head) + fields.name.size());
  } else {
    SHA256_Update(&state, head, static_cast<std::size_t>(p - head));
    SHA256_Update(&state, fields.name.data(), fields.name.size());
  }
  if (!fields.query.empty()) SHA256_Update(&state, fields.query.data(), fields.query.size());
  if (fields.true_name) hash_text(state, *fields.true_name);
  if (!fields.variables.empty()) hash_text(state, fields.variables);

  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256_Final(digest, &state);
  state = key.outer();
  SHA256_Update(&state, digest, sizeof(digest));
  SHA256_Final(digest, &state);
  base64url_encode(text, {reinterpret_cast<const char *>(digest), kMacBytes});
}

}  // namespace hls
