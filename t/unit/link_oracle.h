// Links as the headers of src/core describe them, put together a second time: from strings, with OpenSSL's
// one-shot HMAC(), its HKDF and its base64. Shares no code with what it checks.

#ifndef HLS_LINK_ORACLE_H
#define HLS_LINK_ORACLE_H

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace oracle {

using std::string;
using std::string_view;

inline const unsigned char *bytes(string_view text) {
  return reinterpret_cast<const unsigned char *>(text.data());
}

inline string base64url(string_view data) {
  string text(data.size() / 3 * 4 + 5, '\0');   // whole groups, and the NUL
  int size = EVP_EncodeBlock(reinterpret_cast<unsigned char *>(text.data()), bytes(data),
                             static_cast<int>(data.size()));
  text.resize(static_cast<std::size_t>(size));
  while (!text.empty() && text.back() == '=') text.pop_back();
  for (char &c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

/// RFC 5869 with SHA-256, 32 bytes, salt "hls_proxy".
inline string hkdf(string_view secret, string_view info) {
  std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX *)> ctx(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr),
                                                              EVP_PKEY_CTX_free);
  string key(32, '\0');
  std::size_t size = key.size();
  bool ok = ctx && EVP_PKEY_derive_init(ctx.get()) > 0 &&
            EVP_PKEY_CTX_set_hkdf_md(ctx.get(), EVP_sha256()) > 0 &&
            EVP_PKEY_CTX_set1_hkdf_salt(ctx.get(), bytes("hls_proxy"), 9) > 0 &&
            EVP_PKEY_CTX_set1_hkdf_key(ctx.get(), bytes(secret), static_cast<int>(secret.size())) > 0 &&
            EVP_PKEY_CTX_add1_hkdf_info(ctx.get(), bytes(info), static_cast<int>(info.size())) > 0 &&
            EVP_PKEY_derive(ctx.get(), reinterpret_cast<unsigned char *>(key.data()), &size) > 0;
  if (!ok || size != key.size()) throw std::runtime_error("HKDF");
  return key;
}

inline string hmac(string_view key, string_view message) {
  unsigned char digest[32];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(message), message.size(), digest, &size);
  return string(reinterpret_cast<char *>(digest), size);
}

inline string big_endian(std::uint64_t n, int size) {
  string text;
  for (int i = size - 1; i >= 0; i--) text += static_cast<char>(n >> (8 * i) & 0xFF);
  return text;
}

inline string with_length(string_view text) { return big_endian(text.size(), 4).append(text); }

inline string varint(std::size_t n) {
  string text;
  while (n > 127) text += static_cast<char>(128 + n % 128), n /= 128;
  return text += static_cast<char>(n);
}

struct At {
  std::uint32_t parent;
  std::uint64_t sequence;
  std::int32_t part;
};

/// What a link says, in plain strings.
struct Parts {
  bool media = true;
  string stream, name;                 // of the path
  bool https = true;
  string authority, directory;
  std::optional<string> query = {}, true_name = {};
  string variables = {};
  std::optional<At> at = {};
  std::uint64_t exp = 0, end = 0;
  string bind = {};
};

/// What link_mac.h describes: lengths before fields, zeros behind those that a directory's links share.
inline string signed_bytes(const Parts &p) {
  string message = string("\x01") + (p.media ? '\x01' : '\0') + big_endian(p.exp, 8) + big_endian(p.end, 8) +
                   with_length(p.bind) + with_length(p.stream) +
                   with_length((p.https ? "https://" : "http://") + p.authority) + with_length(p.directory);
  while (message.size() % 64) message += '\0';
  message += static_cast<char>((p.query ? 1 : 0) + (p.true_name ? 2 : 0) + (p.at ? 4 : 0) +
                               (p.variables.empty() ? 0 : 8));
  message += big_endian(p.name.size(), 2) + big_endian(p.query.value_or("").size(), 2);
  if (p.at) {
    message += big_endian(p.at->parent, 3) + big_endian(p.at->sequence, 8) +
               big_endian(static_cast<std::uint32_t>(p.at->part), 4);
  }
  message += p.name + p.query.value_or("");
  if (p.true_name) message += with_length(*p.true_name);
  if (!p.variables.empty()) message += with_length(p.variables);
  return message;
}

/// The first 16 bytes of the HMAC, as text.
inline string mac(string_view secret, const Parts &p) {
  return base64url(hmac(hkdf(secret, "link"), signed_bytes(p)).substr(0, 16));
}

inline string key_id(string_view secret) { return base64url(hkdf(secret, "link id")).substr(0, 2); }

/// What link_record.h describes.
inline string record(const Parts &p) {
  string bytes = (p.https ? "\x11" : "\x10") + varint(p.authority.size()) + p.authority +
                 varint(p.directory.size()) + p.directory;
  while (bytes.size() % 3) bytes += '\0';
  if (p.query || p.true_name) bytes += static_cast<char>((p.query ? 1 : 0) + (p.true_name ? 2 : 0));
  if (p.true_name) bytes += varint(p.true_name->size()) + *p.true_name;
  return bytes + p.query.value_or("");
}

/// All of it but for "&sig=" and what follows.
inline string unsigned_link(string_view base, const Parts &p) {
  string text = string(base) + (p.media ? "/media/" : "/playlist/") + p.stream + '/' + p.name +
                "?u=" + base64url(record(p));
  if (!p.variables.empty()) text += "&v=" + p.variables;
  if (p.at) {
    text += "&at=" + base64url(big_endian(p.at->parent, 3)) + '.' + std::to_string(p.at->sequence);
    if (p.at->part >= 0) text += '.' + std::to_string(p.at->part);
  }
  if (p.end) text += "&end=" + std::to_string(p.end);
  return text + "&exp=" + std::to_string(p.exp);
}

inline string link(string_view base, string_view secret, const Parts &p) {
  return unsigned_link(base, p) + "&sig=" + key_id(secret) + mac(secret, p);
}

}  // namespace oracle

#endif
