#include "host_patterns.h"

#include <arpa/inet.h>

namespace hls {
namespace {

constexpr std::size_t kMaxHost = 253;   // RFC 1035 2.3.4, as text
constexpr std::size_t kMaxLabel = 63;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_label_char(char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char &c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// The 16 bytes of an IPv6 address; empty: it is none (a zone index has no place in a URL either).
std::string ipv6_bytes(std::string_view text) {
  char bytes[16];
  if (text.size() > 45 || text.find('\0') != text.npos) return {};
  if (inet_pton(AF_INET6, std::string(text).c_str(), bytes) != 1) return {};
  return std::string(bytes, sizeof bytes);
}

bool is_ipv4(const std::string &text) {
  char bytes[4];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1;
}

// 1 to 65535, or 0 where it is no port.
unsigned parse_port(std::string_view text) {
  if (text.empty() || text.size() > 5) return 0;
  unsigned port = 0;
  for (char c : text) {
    if (!is_digit(c)) return 0;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port <= 65535 ? port : 0;
}

// Null: a host name or IPv4 address.
const char *name_fault(const std::string &host, bool wildcard) {
  if (host.empty()) return "there is no host name";
  if (host.size() > kMaxHost) return "the host name is too long";
  std::size_t label = 0;   // where the present one begins
  for (std::size_t i = 0; i <= host.size(); i++) {
    if (i < host.size() && host[i] != '.') {
      unsigned char c = static_cast<unsigned char>(host[i]);
      if (c >= 0x80) return "a name that is not ASCII must be given in its xn-- form";
      if (c == '*') return "'*' may only stand at the beginning, as in *.cdn.example";
      if (c == '/') return "a host is wanted, not a URL";
      if (!is_label_char(host[i])) return "there is a character that no host name has";
      continue;
    }
    if (i == label) return "there is an empty label";
    if (i - label > kMaxLabel) return "a label is longer than 63 characters";
    if (i < host.size()) label = i + 1;
  }
  // A last label of digits makes an address, as URL parsers see it; "*.1" would match 127.0.0.1.
  if (host.find_first_not_of("0123456789", label) == host.npos && (wildcard || !is_ipv4(host))) {
    return wildcard ? "nothing is below an IPv4 address" : "this is neither a name nor an IPv4 address";
  }
  return nullptr;
}

// Cuts ":port" off; null where that is well.
const char *take_port(std::string_view &text, unsigned &port) {
  port = 0;
  std::size_t colon;
  if (!text.empty() && text.front() == '[') {
    std::size_t bracket = text.find(']');
    if (bracket == text.npos) return "']' is missing";
    colon = bracket + 1;
    if (colon == text.size()) return nullptr;
    if (text[colon] != ':') return "only a port may follow ']'";
  } else {
    colon = text.find(':');
    if (colon == text.npos) return nullptr;
    if (text.substr(colon, 3) == "://") return "a host is wanted, not a URL";
    if (text.find(':', colon + 1) != text.npos) return "an IPv6 address must stand in brackets";
  }
  port = parse_port(text.substr(colon + 1));
  if (port == 0) return "the port is not a number from 1 to 65535";
  text = text.substr(0, colon);
  return nullptr;
}

}  // namespace

bool HostPatterns::add(std::string_view pattern, std::string &reason) {
  Pattern p{{}, 0, true, false, false};
  std::string_view rest = pattern;
  const char *fault = take_port(rest, p.port);
  if (!fault && !rest.empty() && rest.front() == '[') {
    p.ipv6 = true;
    p.host = ipv6_bytes(rest.substr(1, rest.size() - 2));
    if (p.host.empty()) fault = "this is no IPv6 address";
  } else if (!fault) {
    if (rest == "*") fault = "for any host leave the list out";
    if (rest.substr(0, 2) == "*.") {
      p.itself = false;
      p.below = true;
      rest.remove_prefix(2);
    } else if (rest.size() > 1 && rest.front() == '.') {
      p.below = true;
      rest.remove_prefix(1);
    }
    if (rest.size() > 1 && rest.back() == '.') rest.remove_suffix(1);
    p.host = lower(rest);
    if (!fault) fault = name_fault(p.host, p.below);
  }
  if (fault) {
    reason = "bad host pattern \"" + std::string(pattern) + "\": " + fault;
    return false;
  }
  patterns_.push_back(std::move(p));
  return true;
}

bool HostPatterns::match(std::string_view host, unsigned port) const {
  if (patterns_.empty()) return true;
  std::string address;
  bool ipv6 = host.find(':') != host.npos;
  if (ipv6) {
    address = ipv6_bytes(host);
    if (address.empty()) return false;
    host = address;
  } else if (!host.empty() && host.back() == '.') {
    host.remove_suffix(1);
  }
  for (const Pattern &p : patterns_) {
    if ((p.port != 0 && p.port != port) || p.ipv6 != ipv6) continue;
    if (p.itself && host == p.host) return true;
    if (!p.below || host.size() < p.host.size() + 2) continue;
    std::size_t dot = host.size() - p.host.size() - 1;
    if (host[dot] == '.' && host.substr(dot + 1) == p.host) return true;
  }
  return false;
}

}  // namespace hls
