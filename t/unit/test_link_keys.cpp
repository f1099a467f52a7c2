#include "link_keys.h"

#include <set>

#include "link_oracle.h"

#include "tap_main.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"   // the low-level SHA-256, see link_keys.cpp

using namespace std::string_literals;
using hls::LinkKey;

namespace {

const std::string kSecrets[] = {
    "x",                          // configuration asks for 16 bytes, the class does not
    "0123456789abcdef",
    std::string(63, 'k'),
    std::string(64, 'k'),         // a block
    std::string(65, 'k'),
    std::string(1000, 'k'),
    "\xF0\xF1\xF2\xF3\xF4\xF5\xF6\xF7\xF8\xF9\xFA\xFB\xFC\xFD\xFE\xFF\0"s,
    std::string(16, '\0'),
};

// RFC 2104 finished by hand with the two states.
std::string hmac_with(const LinkKey &key, std::string_view message) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256_CTX state = key.inner();
  SHA256_Update(&state, message.data(), message.size());
  SHA256_Final(digest, &state);
  state = key.outer();
  SHA256_Update(&state, digest, sizeof digest);
  SHA256_Final(digest, &state);
  return std::string(reinterpret_cast<char *>(digest), sizeof digest);
}

void check_derivation() {
  for (const std::string &secret : kSecrets) {
    const LinkKey key(secret);
    const std::string what = "secret of " + std::to_string(secret.size()) + " bytes";
    for (const std::string &message : {""s, "message"s, std::string(64, 'm'), std::string(200, 'm')}) {
      tap::equal(what, hmac_with(key, message), oracle::hmac(oracle::hkdf(secret, "link"), message));
    }
    tap::equal(what + ", id", key.id(), oracle::key_id(secret));
  }
}

// Python 3:
//   def hmac(k, m): return hmac_module.new(k, m, hashlib.sha256).digest()
//   def hkdf(secret, info): return hmac(hmac(b"hls_proxy", secret), info + b"\x01")
//   base64.urlsafe_b64encode(hkdf(secret, b"link id"))[:2]
//   hmac(hkdf(b"0123456789abcdef", b"link"), b"message").hex()
void check_vectors() {
  tap::equal("id", LinkKey("0123456789abcdef").id(), "iR");
  tap::equal("id, long secret", LinkKey(std::string(100, 'k')).id(), "WA");
  tap::equal("id, binary secret", LinkKey(kSecrets[6]).id(), "PM");
  const std::string digest = hmac_with(LinkKey("0123456789abcdef"), "message");
  std::string hex;
  for (unsigned char c : digest) (hex += "0123456789abcdef"[c >> 4]) += "0123456789abcdef"[c & 15];
  tap::equal("key", hex, "9e378198d70519ab25e993219294f7f3ea16c5b8ee5fec727b668bfa60bf3fab");
}

void check_distinct() {
  std::set<std::string> keys;
  for (int i = 0; i < 500; i++) keys.insert(hmac_with(LinkKey("secret number " + std::to_string(i)), ""));
  tap::equal("keys of 500 secrets", static_cast<long long>(keys.size()), 500);
  tap::check(hmac_with(LinkKey("0123456789abcdef"), "") != oracle::hmac("0123456789abcdef", ""),
             "the secret itself is the key of entries, not of links");
}

void check_copies() {
  hls::LinkKeys keys;
  for (const std::string &secret : kSecrets) keys.emplace_back(secret);   // moved as the vector grows
  for (std::size_t i = 0; i < keys.size(); i++) {
    tap::equal("id of a copy", keys[i].id(), LinkKey(kSecrets[i]).id());
    tap::equal("state of a copy", hmac_with(keys[i], "m"), hmac_with(LinkKey(kSecrets[i]), "m"));
  }
}

void test_derivation(void **) { check_derivation(); TAP_FINISH(); }
void test_vectors(void **) { check_vectors(); TAP_FINISH(); }
void test_distinct(void **) { check_distinct(); TAP_FINISH(); }
void test_copies(void **) { check_copies(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_derivation), cmocka_unit_test(test_vectors), cmocka_unit_test(test_distinct),
         cmocka_unit_test(test_copies))
