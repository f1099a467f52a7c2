// Hosts and exceptions, with the C library as the oracle. Input: an exception, LF, a host; the host's bytes
// are taken for an address, too.

#include <arpa/inet.h>

#include <cstring>

#include "address_policy.h"
#include "fuzz.h"

namespace {

using hls::Address;
using hls::HostForm;
using std::string;
using std::string_view;

bool is_below_localhost(string host) {
  for (char &c : host) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  return ("." + host).size() >= 10 && ("." + host).compare(host.size() + 1 - 10, 10, ".localhost") == 0;
}

void require_ipv6(const string &host, HostForm form, const Address &address) {
  std::uint8_t bytes[16];
  bool wanted = host.find('\0') == host.npos && inet_pton(AF_INET6, host.c_str(), bytes) == 1;
  FUZZ_REQUIRE(form == (wanted ? HostForm::address : HostForm::malformed));
  if (wanted) FUZZ_REQUIRE(!address.v4 && std::memcmp(address.bytes.data(), bytes, 16) == 0);
}

/// RFC 1035 2.3.4; zeros may make a number as long as one likes.
bool is_too_long(string_view host) {
  std::size_t label = 0;
  for (char c : host) {
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return true;
  }
  return host.size() > 253;
}

/// What a C library reads as an address is that address, or refused for a byte or length that no host has.
void require_ipv4(string host, HostForm form, const Address &address) {
  if (!host.empty() && host.back() == '.') host.pop_back();
  in_addr wanted;
  if (inet_aton(host.c_str(), &wanted) == 1) {
    bool odd = host.find_first_of(string_view(" \t\n\v\f\r\0", 7)) != host.npos || is_too_long(host);
    FUZZ_REQUIRE(form == (odd ? HostForm::malformed : HostForm::address));
    if (!odd) FUZZ_REQUIRE(address.v4 && std::memcmp(address.bytes.data(), &wanted, 4) == 0);
  } else if (form == HostForm::address) {
    FUZZ_REQUIRE(is_below_localhost(host) && address == hls::ipv4_address(
                     reinterpret_cast<const std::uint8_t *>("\x7F\0\0\1")));
  }
  if (form == HostForm::name) {
    FUZZ_REQUIRE(!is_below_localhost(host) && !host.empty() && host.size() <= 253);
    FUZZ_REQUIRE(host.find("..") == host.npos && host.front() != '.' && host.back() != '.');
  }
}

void require_text(const Address &address) {
  char wanted[INET6_ADDRSTRLEN];
  inet_ntop(address.v4 ? AF_INET : AF_INET6, address.bytes.data(), wanted, sizeof wanted);
  string text = hls::to_text(address);
  FUZZ_REQUIRE(text == wanted);
  Address again;
  FUZZ_REQUIRE(hls::parse_host(text, again) == HostForm::address && again == address);
}

void require_verdict(const Address &address, string_view host, std::uint16_t port,
                     const hls::OriginAllow &allow) {
  const char *refusal = hls::refusal(address);
  const char *closed = hls::verdict(address, host, port, hls::OriginAllow());
  FUZZ_REQUIRE((closed == nullptr) == (refusal == nullptr && !hls::is_bad_port(port)));
  FUZZ_REQUIRE((refusal == nullptr) == (hls::kind(address) == hls::AddressKind::global));
  const char *opened = hls::verdict(address, host, port, allow);
  FUZZ_REQUIRE(opened == nullptr || closed != nullptr);   // an exception refuses nothing
  FUZZ_REQUIRE(!allow.empty() || opened == closed);
  // Global unicast is in 2000::/3, or it is IPv4 below 224.0.0.0.
  const Address judged = hls::unmapped(address);
  if (!refusal) FUZZ_REQUIRE(judged.v4 ? judged.bytes[0] < 224 : judged.bytes[0] >> 5 == 1);
  FUZZ_REQUIRE(hls::unmapped(judged) == judged && hls::refusal(judged) == refusal);
  FUZZ_REQUIRE(hls::verdict(judged, host, port, allow) == opened);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  string_view rest = fuzz::view(data, size);
  string_view exception = fuzz::take_line(rest);
  const string host(rest);

  hls::OriginAllow allow;
  string reason;
  bool added = allow.add(exception, reason);
  FUZZ_REQUIRE(added == reason.empty() && added != allow.empty());

  Address address;
  HostForm form = hls::parse_host(host, address);
  if (form != HostForm::address) FUZZ_REQUIRE(address == Address());
  if (host.find(':') != host.npos) require_ipv6(host, form, address);
  else require_ipv4(host, form, address);

  const auto port = static_cast<std::uint16_t>(size * 7 % 512);
  if (form == HostForm::address) {
    require_text(address);
    require_verdict(address, host, port, allow);
  }
  std::uint8_t bytes[16] = {};
  std::memcpy(bytes, host.data(), host.size() < 16 ? host.size() : 16);
  for (const Address &raw : {hls::ipv4_address(bytes), hls::ipv6_address(bytes)}) {
    require_text(raw);
    require_verdict(raw, host, port, allow);
  }
  return 0;
}
