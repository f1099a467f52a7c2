// Keys of links: derived from the configured secrets, one set per secret, used for nothing else.

#ifndef HLS_LINK_KEYS_H
#define HLS_LINK_KEYS_H

#include <openssl/sha.h>

#include <string>
#include <string_view>
#include <vector>

namespace hls {

/// HMAC-SHA256 (RFC 2104) with the two padded key blocks hashed in advance.
class LinkKey {
public:
  /// The key is HKDF-SHA256(secret, salt "hls_proxy", info "link"); its id is the first two characters of
  /// the base64url of a second derivation (info "link id"). Throws std::runtime_error where OpenSSL does
  /// no HMAC-SHA256.
  explicit LinkKey(std::string_view secret);

  std::string_view id() const { return {id_, 2}; }
  const SHA256_CTX &inner() const { return inner_; }
  const SHA256_CTX &outer() const { return outer_; }

private:
  SHA256_CTX inner_, outer_;
  char id_[2];
};

using LinkKeys = std::vector<LinkKey>;   // the first signs, all verify

}  // namespace hls

#endif
