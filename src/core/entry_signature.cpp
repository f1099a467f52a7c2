#include "entry_signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "percent.h"

namespace hls {
namespace {

using Mac = std::array<unsigned char, 32>;

constexpr std::size_t kMaxUntilDigits = 16;

bool is_signature(std::string_view name) { return name == "sig" || name == "token"; }

// std::string compares as unsigned bytes, which is the order of code points in UTF-8: Python's order.
std::string canonical(const Arguments &args) {
  std::vector<const Arguments::value_type *> sorted;
  sorted.reserve(args.size());
  for (const auto &arg : args) {
    if (!is_signature(arg.first)) sorted.push_back(&arg);
  }
  std::sort(sorted.begin(), sorted.end(), [](auto *a, auto *b) { return *a < *b; });
  std::string text;
  for (const auto *arg : sorted) {
    if (!text.empty()) text += '&';
    text += form_encode(arg->first);
    text += '=';
    text += form_encode(arg->second);
  }
  return text;
}

Mac mac(std::string_view text, std::string_view secret) {
  Mac out;
  unsigned size = 0;
  const unsigned char *bytes = reinterpret_cast<const unsigned char *>(text.data());
  if (!HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes, text.size(), out.data(),
            &size) || size != out.size()) {
    throw std::runtime_error("HMAC-SHA256 failed");
  }
  return out;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool parse_hex(std::string_view text, Mac &out) {
  if (text.size() != 2 * out.size()) return false;
  for (std::size_t i = 0; i < out.size(); i++) {
    int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return true;
}

}  // namespace

Arguments parse_arguments(std::string_view query) {
  Arguments args;
  for (const QueryArgument &arg : split_query(query)) {
    args.emplace_back(percent_decode(arg.name, true), percent_decode(arg.value, true));
  }
  return args;
}

std::string entry_signature(const Arguments &args, std::string_view secret) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned char byte : mac(canonical(args), secret)) {
    text += kHex[byte >> 4];
    text += kHex[byte & 15];
  }
  return text;
}

EntryState check_entry(const Arguments &args, const std::vector<std::string> &secrets, std::uint64_t now,
                       std::uint64_t &until) {
  until = 0;
  const std::string *signature = nullptr;
  for (const auto &arg : args) {
    if (!is_signature(arg.first)) continue;
    if (signature) return EntryState::malformed;
    signature = &arg.second;
  }
  if (!signature) return EntryState::missing;
  Mac claimed;
  if (!parse_hex(*signature, claimed)) return EntryState::malformed;

  // Every secret is tried: the time taken does not tell which one it was.
  std::string text = canonical(args);
  bool verified = false;
  for (const std::string &secret : secrets) {
    Mac wanted = mac(text, secret);
    verified |= CRYPTO_memcmp(wanted.data(), claimed.data(), wanted.size()) == 0;
  }
  if (!verified) return EntryState::bad_signature;

  if (!entry_until(args, until)) return EntryState::malformed;
  return until != 0 && until <= now ? EntryState::expired : EntryState::ok;
}

bool entry_until(const Arguments &args, std::uint64_t &until) {
  until = 0;
  std::uint64_t number = 0;
  for (const auto &[name, value] : args) {
    if (name != "until") continue;
    // A second one is refused, and so is 0: it would read as "never".
    if (number != 0 || value.empty() || value.size() > kMaxUntilDigits || value[0] == '0') return false;
    for (char c : value) {
      if (c < '0' || c > '9') return false;
      number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
  }
  until = number;
  return true;
}

}  // namespace hls
