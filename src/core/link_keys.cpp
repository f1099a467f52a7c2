#include "link_keys.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstring>
#include <stdexcept>

#include "base64url.h"

// The low-level SHA-256 functions are the ones whose state can be copied: a link then costs two
// compressions where HMAC() costs six and an allocation. They are deprecated, not going away.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace hls {

namespace {

using Digest = unsigned char[SHA256_DIGEST_LENGTH];

void hmac(std::string_view key, std::string_view data, Digest &out) {
  unsigned int size = sizeof(out);
  if (!HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
            reinterpret_cast<const unsigned char *>(data.data()), data.size(), out, &size)) {
    throw std::runtime_error("OpenSSL has no HMAC-SHA256");   // rather than keys of whatever lay in memory
  }
}

std::string_view view(const Digest &digest) {
  return {reinterpret_cast<const char *>(digest), sizeof(digest)};
}

}  // namespace

LinkKey::LinkKey(std::string_view secret) {
  // HKDF (RFC 5869) with one block of output each: extract, then expand under two infos.
  Digest prk, key, id;
  hmac("hls_proxy", secret, prk);
  hmac(view(prk), std::string_view("link\x01", 5), key);
  hmac(view(prk), std::string_view("link id\x01", 8), id);

  unsigned char block[SHA256_CBLOCK];
  std::memset(block, 0x36, sizeof(block));
  for (std::size_t i = 0; i < sizeof(key); ++i) block[i] ^= key[i];
  SHA256_Init(&inner_);
  SHA256_Update(&inner_, block, sizeof(block));
  for (unsigned char &byte : block) byte ^= 0x36 ^ 0x5c;
  SHA256_Init(&outer_);
  SHA256_Update(&outer_, block, sizeof(block));

  char text[base64url_length(sizeof(id))];
  base64url_encode(text, view(id));
  std::memcpy(id_, text, sizeof(id_));

  OPENSSL_cleanse(prk, sizeof(prk));
  OPENSSL_cleanse(key, sizeof(key));
  OPENSSL_cleanse(block, sizeof(block));
}

}  // namespace hls
