#include "address_policy.h"

#include <arpa/inet.h>

#include <cstring>
#include <initializer_list>
#include <vector>

#include "tap_main.h"

using namespace std::string_view_literals;
using hls::Address;
using hls::HostForm;
using hls::OriginAllow;

namespace {

constexpr const char *kPublic = "";             // what the tables below say of what is not refused
constexpr const char *kMalformed = "malformed";
constexpr const char *kName = "name";

// The C library's reading of an address.
Address libc_address(const std::string &text) {
  std::uint8_t bytes[16] = {};
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return hls::ipv4_address(bytes);
  tap::check(inet_pton(AF_INET6, text.c_str(), bytes) == 1, "an address: " + text);
  return hls::ipv6_address(bytes);
}

Address mapped(const Address &v4) {
  std::uint8_t bytes[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  std::memcpy(bytes + 12, v4.bytes.data(), 4);
  return hls::ipv6_address(bytes);
}

std::string reason_of(const Address &address) {
  const char *reason = hls::refusal(address);
  return reason ? reason : kPublic;
}

// ---- what becomes of a host --------------------------------------------------------------------

struct HostCase {
  std::string_view host;
  const char *wanted;    // a reason, kPublic, kMalformed or kName
  const char *address;   // which it is; null: none
};

// The expectations are those of IANA's registries, of inet_aton(3) and RFC 4291; worked out by hand.
const HostCase kHosts[] = {
    // Names.
    {"cdn.example", kName, nullptr}, {"cdn.example.", kName, nullptr}, {"CDN.Example", kName, nullptr},
    {"xn--mnchen-3ya.example", kName, nullptr}, {"my_host-1", kName, nullptr}, {"a", kName, nullptr},
    {"dead.beef", kName, nullptr}, {"0xg", kName, nullptr}, {"1a", kName, nullptr},
    {"127.1a", kName, nullptr},
    {"1.2.3.4.example", kName, nullptr}, {"127.0.0.1.nip.example", kName, nullptr}, {"x0x1", kName, nullptr},
    {"notlocalhost", kName, nullptr}, {"localhost.example", kName, nullptr}, {"metadata", kName, nullptr},
    {"localhost", "loopback", "127.0.0.1"}, {"LOCALHOST.", "loopback", "127.0.0.1"},
    {"a.b.LocalHost", "loopback", "127.0.0.1"}, {"1.localhost", "loopback", "127.0.0.1"},

    // IPv4 in four decimals: public ones, and the edges of every block that is refused.
    {"8.8.8.8", kPublic, "8.8.8.8"}, {"1.1.1.1.", kPublic, "1.1.1.1"},
    {"93.184.216.34", kPublic, "93.184.216.34"},
    {"0.0.0.0", "this network", "0.0.0.0"}, {"0.255.255.255", "this network", "0.255.255.255"},
    {"1.0.0.0", kPublic, "1.0.0.0"}, {"9.255.255.255", kPublic, "9.255.255.255"},
    {"10.0.0.0", "private", "10.0.0.0"}, {"10.255.255.255", "private", "10.255.255.255"},
    {"11.0.0.0", kPublic, "11.0.0.0"}, {"100.63.255.255", kPublic, "100.63.255.255"},
    {"100.64.0.0", "carrier-grade NAT", "100.64.0.0"},
    {"100.127.255.255", "carrier-grade NAT", "100.127.255.255"}, {"100.128.0.0", kPublic, "100.128.0.0"},
    {"126.255.255.255", kPublic, "126.255.255.255"}, {"127.0.0.0", "loopback", "127.0.0.0"},
    {"127.0.0.1", "loopback", "127.0.0.1"}, {"127.0.0.1.", "loopback", "127.0.0.1"},
    {"127.255.255.255", "loopback", "127.255.255.255"}, {"128.0.0.0", kPublic, "128.0.0.0"},
    {"168.63.129.15", kPublic, "168.63.129.15"}, {"168.63.129.16", "metadata service", "168.63.129.16"},
    {"168.63.129.17", kPublic, "168.63.129.17"}, {"169.253.255.255", kPublic, "169.253.255.255"},
    {"169.254.0.0", "link-local", "169.254.0.0"}, {"169.254.169.253", "link-local", "169.254.169.253"},
    {"169.254.169.254", "metadata service", "169.254.169.254"},
    {"169.254.255.255", "link-local", "169.254.255.255"}, {"169.255.0.0", kPublic, "169.255.0.0"},
    {"172.15.255.255", kPublic, "172.15.255.255"}, {"172.16.0.0", "private", "172.16.0.0"},
    {"172.31.255.255", "private", "172.31.255.255"}, {"172.32.0.0", kPublic, "172.32.0.0"},
    {"191.255.255.255", kPublic, "191.255.255.255"}, {"192.0.0.0", "protocol assignment", "192.0.0.0"},
    {"192.0.0.170", "protocol assignment", "192.0.0.170"},
    {"192.0.0.255", "protocol assignment", "192.0.0.255"},
    {"192.0.1.0", kPublic, "192.0.1.0"}, {"192.0.1.255", kPublic, "192.0.1.255"},
    {"192.0.2.0", "documentation", "192.0.2.0"}, {"192.0.2.255", "documentation", "192.0.2.255"},
    {"192.0.3.0", kPublic, "192.0.3.0"}, {"192.31.196.1", kPublic, "192.31.196.1"},
    {"192.88.98.255", kPublic, "192.88.98.255"}, {"192.88.99.1", "6to4 relay", "192.88.99.1"},
    {"192.88.100.0", kPublic, "192.88.100.0"}, {"192.167.255.255", kPublic, "192.167.255.255"},
    {"192.168.0.0", "private", "192.168.0.0"}, {"192.168.255.255", "private", "192.168.255.255"},
    {"192.169.0.0", kPublic, "192.169.0.0"}, {"198.17.255.255", kPublic, "198.17.255.255"},
    {"198.18.0.0", "benchmarking", "198.18.0.0"}, {"198.19.255.255", "benchmarking", "198.19.255.255"},
    {"198.20.0.0", kPublic, "198.20.0.0"}, {"198.51.99.255", kPublic, "198.51.99.255"},
    {"198.51.100.7", "documentation", "198.51.100.7"}, {"198.51.101.0", kPublic, "198.51.101.0"},
    {"203.0.112.255", kPublic, "203.0.112.255"}, {"203.0.113.0", "documentation", "203.0.113.0"},
    {"203.0.113.255", "documentation", "203.0.113.255"}, {"203.0.114.0", kPublic, "203.0.114.0"},
    {"223.255.255.255", kPublic, "223.255.255.255"}, {"224.0.0.0", "multicast", "224.0.0.0"},
    {"239.255.255.255", "multicast", "239.255.255.255"}, {"240.0.0.0", "reserved", "240.0.0.0"},
    {"255.255.255.254", "reserved", "255.255.255.254"}, {"255.255.255.255", "broadcast", "255.255.255.255"},

    // What inet_aton takes for IPv4.
    {"127.1", "loopback", "127.0.0.1"}, {"127.0.1", "loopback", "127.0.0.1"},
    {"127.65535", "loopback", "127.0.255.255"},
    {"10.16777215", "private", "10.255.255.255"}, {"0x7f.1", "loopback", "127.0.0.1"},
    {"0X7F.0.0.0X1", "loopback", "127.0.0.1"}, {"0x7f000001", "loopback", "127.0.0.1"},
    {"2130706433", "loopback", "127.0.0.1"}, {"2130706433.", "loopback", "127.0.0.1"},
    {"017700000001", "loopback", "127.0.0.1"}, {"0177.0.0.1", "loopback", "127.0.0.1"},
    {"0000177.0.0.01", "loopback", "127.0.0.1"}, {"0x0000000000007f.1", "loopback", "127.0.0.1"},
    {"0", "this network", "0.0.0.0"}, {"00", "this network", "0.0.0.0"}, {"0x0", "this network", "0.0.0.0"},
    {"1", "this network", "0.0.0.1"}, {"0xa9fea9fe", "metadata service", "169.254.169.254"},
    {"2852039166", "metadata service", "169.254.169.254"}, {"192.168.257", "private", "192.168.1.1"},
    {"012.1", "private", "10.0.0.1"}, {"010.8.8.8", kPublic, "8.8.8.8"},
    {"0x8.0x8.0x8.0x8", kPublic, "8.8.8.8"},
    {"4294967295", "broadcast", "255.255.255.255"}, {"134744072", kPublic, "8.8.8.8"},

    // Numbers that are no address.
    {"256.0.0.1", kMalformed, nullptr}, {"1.2.3.256", kMalformed, nullptr},
    {"1.2.3.4.5", kMalformed, nullptr}, {"1.2.3.4.0", kMalformed, nullptr},
    {"127.16777216", kMalformed, nullptr}, {"1.2.65536", kMalformed, nullptr},
    {"4294967296", kMalformed, nullptr},
    {"0x100000000", kMalformed, nullptr}, {"4294967297", kMalformed, nullptr}, {"08", kMalformed, nullptr},
    {"127.0.0.08", kMalformed, nullptr}, {"0x", kMalformed, nullptr}, {"127.0x", kMalformed, nullptr},
    {"example.1", kMalformed, nullptr}, {"example.0x7f", kMalformed, nullptr},
    {"1.2.a.4", kMalformed, nullptr},
    {"99999999999999999999999999", kMalformed, nullptr}, {"18446744073709551617", kMalformed, nullptr},

    // No host at all.
    {"", kMalformed, nullptr}, {".", kMalformed, nullptr}, {"127.0.0.1..", kMalformed, nullptr},
    {".127.0.0.1", kMalformed, nullptr}, {"127..1", kMalformed, nullptr}, {"a..example", kMalformed, nullptr},
    {"127.0.0.1 ", kMalformed, nullptr}, {" 127.0.0.1", kMalformed, nullptr},
    {"127.0.0.1\0"sv, kMalformed, nullptr},
    {"127.0.0.1\n", kMalformed, nullptr}, {"%3127.0.0.1", kMalformed, nullptr},
    {"a%2eexample", kMalformed, nullptr},
    {"\xE2\x91\xA0.0.0.1", kMalformed, nullptr}, {"127\xE3\x80\x82" "0.0.1", kMalformed, nullptr},
    {"m\xC3\xBCnchen.example", kMalformed, nullptr}, {"+127.0.0.1", kMalformed, nullptr},
    {"user@127.0.0.1", kMalformed, nullptr}, {"127.0.0.1/8", kMalformed, nullptr},
    {"a\\b", kMalformed, nullptr},
    {"[::1]", kMalformed, nullptr}, {"127.0.0.1:80", kMalformed, nullptr},

    // IPv6: public ones, and the edges of what is refused.
    {"2001:4860:4860::8888", kPublic, "2001:4860:4860::8888"}, {"2606:4700::1", kPublic, "2606:4700::1"},
    {"2000::", kPublic, "2000::"}, {"1fff:ffff::1", "not global unicast", "1fff:ffff::1"},
    {"3fff:1000::", kPublic, "3fff:1000::"}, {"3fff:ffff::1", kPublic, "3fff:ffff::1"},
    {"4000::", "not global unicast", "4000::"}, {"::", "unspecified", "::"}, {"::1", "loopback", "::1"},
    {"0:0:0:0:0:0:0:1", "loopback", "::1"}, {"0000::0001", "loopback", "::1"}, {"::2", "this network", "::2"},
    {"::127.0.0.1", "loopback", "::127.0.0.1"}, {"::7f00:1", "loopback", "::127.0.0.1"},
    {"::8.8.8.8", kPublic, "::8.8.8.8"}, {"::a00:1", "private", "::10.0.0.1"},
    {"::ffff:127.0.0.1", "loopback", "::ffff:127.0.0.1"}, {"::FFFF:7F00:1", "loopback", "::ffff:127.0.0.1"},
    {"0:0:0:0:0:ffff:169.254.169.254", "metadata service", "::ffff:169.254.169.254"},
    {"::ffff:0.0.0.0", "this network", "::ffff:0.0.0.0"}, {"::ffff:8.8.8.8", kPublic, "::ffff:8.8.8.8"},
    {"::ffff:0:7f00:1", "not global unicast", "::ffff:0:127.0.0.1"},
    {"::1:7f00:1", "not global unicast", "::1:7f00:1"},
    {"64:ff9b::8.8.8.8", "NAT64", "64:ff9b::808:808"}, {"64:ff9b::127.0.0.1", "NAT64", "64:ff9b::7f00:1"},
    {"64:ff9b::1:0:0", "not global unicast", "64:ff9b::1:0:0"}, {"64:ff9b:1::1", "NAT64", "64:ff9b:1::1"},
    {"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"},
    {"64:ff9b:2::", "not global unicast", "64:ff9b:2::"}, {"100::1", "discard-only", "100::1"},
    {"100:0:0:1::1", "not global unicast", "100:0:0:1::1"}, {"2001::", "Teredo", "2001::"},
    {"2001:0:4136:e378:8000:63bf:3fff:fdd2", "Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2"},
    {"2001:1::1", "protocol assignment", "2001:1::1"}, {"2001:2::1", "benchmarking", "2001:2::1"},
    {"2001:2:1::1", "protocol assignment", "2001:2:1::1"},
    {"2001:10::1", "protocol assignment", "2001:10::1"},
    {"2001:1ff:ffff::1", "protocol assignment", "2001:1ff:ffff::1"}, {"2001:200::1", kPublic, "2001:200::1"},
    {"2001:db7:ffff::1", kPublic, "2001:db7:ffff::1"}, {"2001:db8::1", "documentation", "2001:db8::1"},
    {"2001:db8:ffff::1", "documentation", "2001:db8:ffff::1"}, {"2001:db9::1", kPublic, "2001:db9::1"},
    {"2002:7f00:1::1", "6to4", "2002:7f00:1::1"}, {"2002:808:808::1", "6to4", "2002:808:808::1"},
    {"2003::1", kPublic, "2003::1"}, {"3ffe:ffff::1", kPublic, "3ffe:ffff::1"},
    {"3fff::1", "documentation", "3fff::1"},
    {"3fff:fff:ffff::1", "documentation", "3fff:fff:ffff::1"}, {"5eff::1", "not global unicast", "5eff::1"},
    {"5f00::1", "segment routing", "5f00::1"}, {"5f01::1", "not global unicast", "5f01::1"},
    {"fbff::1", "not global unicast", "fbff::1"}, {"fc00::", "unique local", "fc00::"},
    {"fd00:ec2::254", "metadata service", "fd00:ec2::254"},
    {"fd00:ec2::253", "unique local", "fd00:ec2::253"},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fe00::1", "not global unicast", "fe00::1"}, {"fe7f::1", "not global unicast", "fe7f::1"},
    {"fe80::1", "link-local", "fe80::1"}, {"febf:ffff::1", "link-local", "febf:ffff::1"},
    {"fec0::1", "site-local", "fec0::1"}, {"feff:ffff::1", "site-local", "feff:ffff::1"},
    {"ff00::", "multicast", "ff00::"}, {"ff02::1", "multicast", "ff02::1"},

    // Forms of IPv6: RFC 4291 2.2, and what is none.
    {"1:2:3:4:5:6:7::", "not global unicast", "1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", "not global unicast", "0:2:3:4:5:6:7:8"},
    {"2a00:1::0.0.0.9", kPublic, "2a00:1::9"}, {"2a00:0:0:0:0:0:1.2.3.4", kPublic, "2a00::102:304"},
    {":", kMalformed, nullptr}, {":::", kMalformed, nullptr}, {":1", kMalformed, nullptr},
    {"1:", kMalformed, nullptr},
    {"::1:", kMalformed, nullptr}, {"1::2::3", kMalformed, nullptr}, {"1:::2", kMalformed, nullptr},
    {"1:2:3:4:5:6:7", kMalformed, nullptr}, {"1:2:3:4:5:6:7:8:9", kMalformed, nullptr},
    {"1:2:3:4:5:6:7:8::", kMalformed, nullptr}, {"::1:2:3:4:5:6:7:8", kMalformed, nullptr},
    {"1:2:3:4::5:6:7:8", kMalformed, nullptr}, {"::12345", kMalformed, nullptr}, {"::g", kMalformed, nullptr},
    {"::ffff:127.1", kMalformed, nullptr}, {"::ffff:0x7f.0.0.1", kMalformed, nullptr},
    {"::ffff:127.0.0.01", kMalformed, nullptr}, {"::ffff:127.0.0.256", kMalformed, nullptr},
    {"::127.0.0.1:1", kMalformed, nullptr}, {"1:2:3:4:5:6:7:1.2.3.4", kMalformed, nullptr},
    {"fe80::1%eth0", kMalformed, nullptr}, {"::1%25lo", kMalformed, nullptr},
    {"::1\0"sv, kMalformed, nullptr},
    {"::1.", kMalformed, nullptr}, {"::1 ", kMalformed, nullptr}, {"localhost:", kMalformed, nullptr},
};

void check_hosts() {
  for (const HostCase &c : kHosts) {
    const std::string what = tap::quoted(c.host);
    const Address untouched = libc_address("192.0.2.77");
    Address address = untouched;
    HostForm form = hls::parse_host(c.host, address);
    if (form == HostForm::address) {
      tap::equal(what, reason_of(address), c.wanted);
      tap::check(c.address && address == libc_address(c.address), what + " is " + hls::to_text(address));
      const char *reason = hls::verdict(address, c.host, 443, OriginAllow());
      tap::equal(what + ": verdict", reason ? reason : kPublic, c.wanted);
    } else {
      tap::equal(what, form == HostForm::name ? kName : kMalformed, c.wanted);
      tap::check(address == untouched, what + " leaves the address alone");
    }
  }
  tap::check(std::size(kHosts) >= 120, "enough of them: " + std::to_string(std::size(kHosts)));
}

void check_lengths() {
  const std::string label63(63, 'a');
  const std::string host253 = label63 + '.' + label63 + '.' + label63 + '.' + label63.substr(2);
  struct { std::string host; bool wanted; } cases[] = {
      {label63, true}, {label63 + 'a', false}, {host253, true}, {host253 + '.', true}, {host253 + 'a', false},
      {std::string(100000, '1'), false}, {"::" + std::string(100000, '0'), false},
      {std::string(100000, '.'), false},
  };
  for (const auto &c : cases) {
    Address address;
    tap::equal(c.host.substr(0, 20) + "… of " + std::to_string(c.host.size()),
               hls::parse_host(c.host, address) == HostForm::name, c.wanted);
  }
}

// ---- properties --------------------------------------------------------------------------------

// Counted by hand from the registries: of the /24s 3 * 65536 are in a /8 (0, 10, 127), 16384 in 100.64/10,
// 256 + 4096 + 256 + 512 in 169.254/16, 172.16/12, 192.168/16 and 198.18/15, 5 are one (192.0.0, 192.0.2,
// 192.88.99, 198.51.100, 203.0.113), 32 * 65536 lie above 224.0.0.0; and 168.63.129.16 is in one.
constexpr long long kRefused = 3 * 65536 + 16384 + 256 + 4096 + 256 + 512 + 5 + 32 * 65536 + 1;

void check_all_of_ipv4() {
  long long refused = 0, differs = 0;
  for (std::uint32_t net = 0; net < 1u << 24; net++) {
    const std::uint8_t bytes[] = {static_cast<std::uint8_t>(net >> 16), static_cast<std::uint8_t>(net >> 8),
                                  static_cast<std::uint8_t>(net), 16};
    const Address address = hls::ipv4_address(bytes);
    const hls::AddressKind kind = hls::kind(address);
    refused += kind != hls::AddressKind::global;
    if (net % 61 == 0 || kind == hls::AddressKind::metadata) {
      differs += hls::kind(mapped(address)) != kind || hls::unmapped(mapped(address)) != address;
    }
  }
  tap::equal("refused /24s", refused, kRefused);
  tap::equal("differs when mapped", differs, 0);
}

// Of the /16s of IPv6, by the registries: 2000::/3 but for 2002::/16 is not refused as a whole, and what
// begins a /16 of it is so in 2001:: (Teredo) and 3fff:: (documentation).
void check_all_of_ipv6() {
  long long global = 0;
  for (unsigned net = 0; net < 1u << 16; net++) {
    const std::uint8_t bytes[16] = {static_cast<std::uint8_t>(net >> 8), static_cast<std::uint8_t>(net)};
    global += hls::kind(hls::ipv6_address(bytes)) == hls::AddressKind::global;
  }
  tap::equal("/16s that begin with a global address", global, 8192 - 3);
}

// Text, there and back, against the C library: groups of zeros in every combination, mapped ones among them.
void check_text() {
  const std::uint16_t groups[] = {0x2001, 0xdb8, 1, 0xabcd, 0xf, 0xffff, 0x7f00, 0x102};
  for (unsigned set = 0; set < 256; set++) {
    std::uint8_t bytes[16] = {};
    for (unsigned i = 0; i < 8; i++) {
      if (!(set >> i & 1)) continue;
      bytes[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
      bytes[2 * i + 1] = static_cast<std::uint8_t>(groups[i]);
    }
    char wanted[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, bytes, wanted, sizeof wanted);
    const Address address = hls::ipv6_address(bytes);
    const std::string text = hls::to_text(address);
    Address again;
    tap::equal("text", text, wanted);
    tap::check(hls::parse_host(text, again) == HostForm::address && again == address, "back from " + text);
  }
  for (const char *text : {"0.0.0.0", "1.2.3.4", "255.255.255.255", "10.200.30.4"}) {
    tap::equal("text", hls::to_text(libc_address(text)), text);
  }
  tap::check(libc_address("1.2.3.4") != libc_address("::ffff:1.2.3.4"), "families differ");
}

// ---- ports -------------------------------------------------------------------------------------

// The fetch standard's table, with its names of services left out.
constexpr std::string_view kBadPorts =
    " 0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115"
    " 117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563"
    " 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667"
    " 6668 6669 6679 6697 10080 ";

void check_ports() {
  const Address address = libc_address("8.8.8.8");
  for (unsigned port = 0; port <= 65535; port++) {
    const auto p = static_cast<std::uint16_t>(port);
    bool bad = kBadPorts.find(" " + std::to_string(port) + " ") != kBadPorts.npos;
    bool refused = hls::verdict(address, "8.8.8.8", p, OriginAllow()) != nullptr;
    if (hls::is_bad_port(p) != bad || refused != bad) tap::check(false, "port " + std::to_string(port));
  }
  for (unsigned port : {80, 443, 1935, 8000, 8080, 8081, 8443, 8888, 65535}) {
    tap::check(!hls::is_bad_port(static_cast<std::uint16_t>(port)), "port " + std::to_string(port));
  }
  tap::equal("reason", hls::verdict(libc_address("127.0.0.1"), "a", 25, OriginAllow()),
             "port of another protocol");
}

// ---- exceptions --------------------------------------------------------------------------------

struct AllowCase {
  std::string_view allow;   // separated by spaces
  const char *address;
  std::string_view host;
  std::uint16_t port;
  const char *wanted;
};

const AllowCase kAllow[] = {
    {"", "10.1.2.3", "a.example", 80, "private"},
    {"10.0.0.0/8", "10.0.0.0", "a.example", 80, kPublic},
    {"10.0.0.0/8", "10.255.255.255", "10.255.255.255", 65535, kPublic},
    {"10.0.0.0/8", "11.0.0.1", "a.example", 80, kPublic},
    {"10.0.0.0/8", "127.0.0.1", "a.example", 80, "loopback"},
    {"10.0.0.0/8", "::ffff:10.1.2.3", "a.example", 80, kPublic},
    {"10.0.0.0/8", "::10.1.2.3", "a.example", 80, kPublic},
    {"10.0.0.0/8", "64:ff9b::10.1.2.3", "a.example", 80, "NAT64"},
    {"10.0.0.0/8", "2002:a01:203::1", "a.example", 80, "6to4"},
    {"10.0.0.0/8", "a00::1", "a.example", 80, "not global unicast"},
    {"10.16.0.0/12", "10.31.255.255", "a.example", 80, kPublic},
    {"10.16.0.0/12", "10.32.0.0", "a.example", 80, "private"},
    {"10.0.0.0/8:8080", "10.1.2.3", "a.example", 8080, kPublic},
    {"10.0.0.0/8:8080", "10.1.2.3", "a.example", 80, "private"},
    {"10.0.0.1", "10.0.0.1", "10.0.0.1", 80, kPublic},
    {"10.0.0.1", "10.0.0.1", "a.example", 80, kPublic},
    {"10.0.0.1", "10.0.0.2", "10.0.0.2", 80, "private"},
    {"10.0.0.1.", "10.0.0.1", "10.0.0.1", 80, kPublic},
    {"10.0.0.1:81", "10.0.0.1", "10.0.0.1", 81, kPublic},
    {"10.0.0.1:81", "10.0.0.1", "10.0.0.1", 80, "private"},
    {"0.0.0.0/0", "127.0.0.1", "a.example", 80, kPublic},
    {"0.0.0.0/0", "::1", "a.example", 80, "loopback"},
    {"::/0", "::1", "a.example", 80, kPublic},
    {"::/0", "fe80::1", "a.example", 80, kPublic},
    {"::/0", "127.0.0.1", "a.example", 80, "loopback"},
    {"::/0", "::ffff:127.0.0.1", "a.example", 80, "loopback"},
    {"::1/128", "::1", "::1", 80, kPublic},
    {"[::1]", "::1", "0:0:0:0:0:0:0:1", 80, kPublic},
    {"[::1]", "127.0.0.1", "a.example", 80, "loopback"},
    {"[::1]:8080", "::1", "::1", 8080, kPublic},
    {"[::1]:8080", "::1", "::1", 80, "loopback"},
    {"fd00::/8", "fd12::1", "a.example", 80, kPublic},
    {"fd00::/8", "fc00::1", "a.example", 80, "unique local"},
    {"[fd00::]/8:8080", "fd12::1", "a.example", 8080, kPublic},
    {"fd00::/8:8080", "fd12::1", "a.example", 80, "unique local"},
    {"2001:db8:0:80::/57", "2001:db8:0:ff::1", "a.example", 80, kPublic},
    {"2001:db8:0:80::/57", "2001:db8:0:100::1", "a.example", 80, "documentation"},
    {"64:ff9b::/96", "64:ff9b::8.8.8.8", "a.example", 80, kPublic},
    {"nas.example", "192.168.1.2", "nas.example", 80, kPublic},
    {"NAS.example.", "192.168.1.2", "nas.example.", 80, kPublic},
    {"nas.example", "192.168.1.2", "a.nas.example", 80, "private"},
    {"nas.example", "192.168.1.2", "evil.example", 80, "private"},
    {"nas.example", "::1", "nas.example", 80, kPublic},
    {"nas.example:8080", "192.168.1.2", "nas.example", 8080, kPublic},
    {"nas.example:8080", "192.168.1.2", "nas.example", 8081, "private"},
    {"*.lan.example", "192.168.1.2", "a.lan.example", 80, kPublic},
    {"*.lan.example", "192.168.1.2", "lan.example", 80, "private"},
    {".lan.example", "192.168.1.2", "lan.example", 80, kPublic},
    {"localhost:8080", "127.0.0.1", "localhost", 8080, kPublic},
    {"localhost", "127.0.0.1", "127.0.0.1", 8080, "loopback"},
    // A bad port is opened by its number only.
    {"10.0.0.0/8", "10.1.2.3", "a.example", 25, "port of another protocol"},
    {"10.0.0.0/8:25", "10.1.2.3", "a.example", 25, kPublic},
    {"10.0.0.0/8 10.0.0.0/8:25", "10.1.2.3", "a.example", 25, kPublic},
    {"10.0.0.0/8:26", "10.1.2.3", "a.example", 25, "port of another protocol"},
    {"nas.example", "8.8.8.8", "nas.example", 25, "port of another protocol"},
    {"nas.example:25", "8.8.8.8", "nas.example", 25, kPublic},
    {"nas.example nas.example:25", "10.0.0.1", "nas.example", 25, kPublic},
    {"*.a.example 10.0.0.0/8 [::1]:81 nas.example:82", "127.0.0.1", "b.example", 80, "loopback"},
    {"*.a.example 10.0.0.0/8 [::1]:81 nas.example:82", "127.0.0.1", "nas.example", 82, kPublic},
};

bool add(OriginAllow &allow, std::string_view text, std::string &reason) {
  reason.clear();
  return allow.add(text, reason);
}

void check_allow() {
  for (const AllowCase &c : kAllow) {
    OriginAllow allow;
    std::string reason, what = "allow " + std::string(c.allow) + ": ";
    what.append(c.address).append(" of ").append(c.host);
    for (std::string_view rest = c.allow; !rest.empty();) {
      std::string_view word = rest.substr(0, rest.find(' '));
      tap::check(add(allow, word, reason) && reason.empty(), "add " + tap::quoted(word) + ": " + reason);
      rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    tap::equal(what, allow.empty(), c.allow.empty());
    const char *got = hls::verdict(libc_address(c.address), c.host, c.port, allow);
    tap::equal(what + ":" + std::to_string(c.port), got ? got : kPublic, c.wanted);
  }
}

void check_refused_exceptions() {
  struct { std::string_view text, about; } cases[] = {
      {"10.0.0.0/33", "0 to 32"}, {"10.0.0.0/", "0 to 32"}, {"10.0.0.0/x", "0 to 32"},
      {"10.0.0.0/-1", "0 to 32"},
      {"10.0.0.0/08", "0 to 32"}, {"10.0.0.0/4294967304", "0 to 32"}, {"10.0.0.0/8/8", "0 to 32"},
      {"::/129", "0 to 128"}, {"fd00::/", "0 to 128"}, {"10.0.0.1/8", "bits are set"},
      {"10.0.0.1/31", "bits are set"},
      {"1.0.0.0/0", "bits are set"}, {"fd00::1/127", "bits are set"}, {"fe80::/8", "bits are set"},
      {"10.0.0.0/8:0", "port"}, {"10.0.0.0/8:65536", "port"}, {"10.0.0.0/8:", "port"},
      {"10.0.0.0/8:x", "port"},
      {"10.0.0.1:0", "port"}, {"[::1]:65536", "port"}, {"[::1]:", "port"}, {"[::1]80", "port may follow"},
      {"nas.example:0", "port"}, {"nas.example:", "port"}, {"nas.example:99999", "port"},
      {"10/8", "no address"}, {"127.1/32", "no address"}, {"0x7f.0.0.0/8", "no address"},
      {"/8", "no address"},
      {"[10.0.0.0]/8", "brackets"}, {"[fd00::/8", "no address"}, {"nas.example/24", "no address"},
      {"http://nas.example/", "no address"}, {"fe80::1%eth0/64", "no address"},
      {"127.1", "four decimals"}, {"0x7f000001", "four decimals"}, {"2130706433:80", "four decimals"},
      {"010.0.0.1", "four decimals"}, {"256.0.0.1", "four decimals"}, {"example.1", "four decimals"},
      {"::ffff:10.0.0.0/104", "write the IPv4"}, {"[::ffff:10.0.0.1]", "write the IPv4"},
      {"::/96", "write the IPv4"},
      {"::10.0.0.1/128", "write the IPv4"}, {"::1", "must stand in brackets"},
      {"[fe80::1%eth0]", "no IPv6 address"},
      {"[::1", "']' is missing"}, {"*", "0.0.0.0/0"}, {"*:80", "0.0.0.0/0"}, {"", "no host name"},
      {"a b", "character"}, {"*.10.0.0.1", "IPv4 address"}, {"m\xC3\xBCnchen.example", "ASCII"},
  };
  const Address inside[] = {libc_address("10.0.0.1"), libc_address("127.0.0.1"), libc_address("::1")};
  for (const auto &c : cases) {
    OriginAllow allow;
    std::string reason;
    tap::check(!add(allow, c.text, reason), "refused: " + tap::quoted(c.text));
    tap::check(reason.find(c.about) != reason.npos, tap::quoted(c.text) + ": " + reason);
    tap::check(reason.find(c.text) != reason.npos, "is named: " + reason);
    tap::check(allow.empty(), "opens nothing: " + tap::quoted(c.text));
    for (const Address &address : inside) {
      tap::check(hls::verdict(address, "nas.example", 80, allow) != nullptr, "still refused");
    }
  }
}

void test_hosts(void **) { check_hosts(); TAP_FINISH(); }
void test_lengths(void **) { check_lengths(); TAP_FINISH(); }
void test_all_of_ipv4(void **) { check_all_of_ipv4(); TAP_FINISH(); }
void test_all_of_ipv6(void **) { check_all_of_ipv6(); TAP_FINISH(); }
void test_text(void **) { check_text(); TAP_FINISH(); }
void test_ports(void **) { check_ports(); TAP_FINISH(); }
void test_allow(void **) { check_allow(); TAP_FINISH(); }
void test_refused_exceptions(void **) { check_refused_exceptions(); TAP_FINISH(); }

}  // namespace

TAP_MAIN(cmocka_unit_test(test_hosts), cmocka_unit_test(test_lengths), cmocka_unit_test(test_all_of_ipv4),
         cmocka_unit_test(test_all_of_ipv6), cmocka_unit_test(test_text), cmocka_unit_test(test_ports),
         cmocka_unit_test(test_allow), cmocka_unit_test(test_refused_exceptions))
