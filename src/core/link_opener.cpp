#include <openssl/crypto.h>

#include <algorithm>

#include "base64url.h"
#include "link.h"
#include "link_mac.h"
#include "link_name.h"
#include "link_record.h"
#include "percent.h"

namespace hls {

namespace {

// No link is as long, even with every byte percent-encoded; and no length overflows the MAC's 16 bits.
constexpr std::size_t kMaxArgumentBytes = 65535;
constexpr std::size_t kMaxArguments = 64;
constexpr std::size_t kMaxForeign = 4096;
constexpr std::uint64_t kMaxNumber = 9'999'999'999'999'999;   // fits every clock and every sequence number

// The link's own arguments, decoded: their alphabet needs no encoding, but clients re-encode.
struct OwnArguments {
  std::optional<std::string> u, v, at, end, exp, sig;
};

std::optional<std::string> *own_argument(OwnArguments &own, std::string_view name) {
  if (name == "u") return &own.u;
  if (name == "v") return &own.v;
  if (name == "at") return &own.at;
  if (name == "end") return &own.end;
  if (name == "exp") return &own.exp;
  if (name == "sig") return &own.sig;
  return nullptr;
}

bool is_directive(std::string_view name) { return name.substr(0, 5) == "_HLS_"; }

// What goes into an upstream request line is escaped here as in a Url, not trusted to have been before.
void append_escaped(std::string &to, std::string_view text) {
  static constexpr std::string_view kUnsafe = "\"<>\\^`{|}#";
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (char c : text) {
    unsigned char byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && kUnsafe.find(c) == kUnsafe.npos) {
      to.push_back(c);
    } else {
      to.push_back('%');
      to.push_back(kHex[byte >> 4]);
      to.push_back(kHex[byte & 15]);
    }
  }
}

struct Foreign {
  std::string_view name, raw;   // raw: "name=value"
};

// Directives sorted by name; of several copies (ExoPlayer appends another) the last one counts.
void collect_foreign(std::vector<Foreign> &arguments, Link &link) {
  std::stable_sort(arguments.begin(), arguments.end(),
                   [](const Foreign &a, const Foreign &b) { return a.name < b.name; });
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i + 1 < arguments.size() && arguments[i + 1].name == arguments[i].name) continue;
    if (!link.foreign.empty()) link.foreign.push_back('&');
    append_escaped(link.foreign, arguments[i].raw);
    if (!is_directive(arguments[i].name)) continue;
    if (!link.directives.empty()) link.directives.push_back('&');
    append_escaped(link.directives, arguments[i].raw);
  }
}

const char *read_arguments(std::string_view args, OwnArguments &own, Link &link) {
  if (args.size() > kMaxArgumentBytes) return "arguments too long";
  auto all = split_query(args);
  if (all.size() > kMaxArguments) return "too many arguments";
  std::vector<Foreign> foreign;
  std::size_t foreign_size = 0;
  for (const QueryArgument &argument : all) {
    if (auto *value = own_argument(own, argument.name)) {
      if (*value) return "an argument stands twice";
      *value = percent_decode(argument.value, false);
    } else if ((is_directive(argument.name) && link.kind == LinkKind::playlist) || argument.name == "CMCD") {
      const char *end = argument.has_value ? argument.value.data() + argument.value.size()
                                           : argument.name.data() + argument.name.size();
      std::string_view raw(argument.name.data(), static_cast<std::size_t>(end - argument.name.data()));
      foreign_size += raw.size();
      if (foreign_size > kMaxForeign) return "foreign arguments too long";
      foreign.push_back({argument.name, raw});
    }
  }
  collect_foreign(foreign, link);
  return nullptr;
}

// Takes a decimal number without leading zeros off the front.
bool take_number(std::string_view &text, std::uint64_t max, std::uint64_t &n) {
  std::size_t size = 0;
  n = 0;
  for (; size < text.size() && text[size] >= '0' && text[size] <= '9'; ++size) {
    std::uint64_t digit = static_cast<std::uint64_t>(text[size] - '0');
    if (n > (max - digit) / 10) return false;
    n = n * 10 + digit;
  }
  if (size == 0 || (size > 1 && text[0] == '0')) return false;
  text.remove_prefix(size);
  return true;
}

bool read_number(std::string_view text, std::uint64_t &n) {
  return take_number(text, kMaxNumber, n) && text.empty();
}

bool read_position(std::string_view text, Position &at) {
  std::string parent;
  if (text.size() < 6 || text[4] != '.' || !base64url_decode(text.substr(0, 4), parent)) return false;
  at.parent = static_cast<std::uint32_t>(static_cast<unsigned char>(parent[0])) << 16 |
              static_cast<std::uint32_t>(static_cast<unsigned char>(parent[1])) << 8 |
              static_cast<unsigned char>(parent[2]);
  text.remove_prefix(5);
  if (!take_number(text, UINT64_MAX, at.sequence)) return false;
  at.part = -1;
  if (text.empty()) return true;
  std::uint64_t part;
  if (text.front() != '.') return false;
  text.remove_prefix(1);
  if (!take_number(text, INT32_MAX, part)) return false;
  at.part = static_cast<std::int32_t>(part);
  return text.empty();
}

// "/playlist/<stream>/<name>"
const char *read_path(std::string_view path, Link &link, std::string_view &name) {
  if (path.substr(0, 10) == "/playlist/") {
    link.kind = LinkKind::playlist;
    path.remove_prefix(10);
  } else if (path.substr(0, 7) == "/media/") {
    link.kind = LinkKind::media;
    path.remove_prefix(7);
  } else {
    return "the path begins with neither /playlist/ nor /media/";
  }
  std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return "no file name in the path";
  link.stream_text = path.substr(0, slash);
  name = path.substr(slash + 1);
  if (!is_link_name(name)) return "bad file name in the path";
  if (!link.stream.decode(link.stream_text)) return "bad stream in the path";
  return nullptr;
}

bool verify(const LinkKeys &keys, const SharedFields &shared, const OwnFields &own,
            std::string_view signature, Link &link) {
  if (signature.size() != kSignatureChars) return false;
  for (const LinkKey &key : keys) {
    if (key.id() != signature.substr(0, 2)) continue;
    char text[kMacChars];
    mac_finish(key, mac_shared(key, shared), own, text);
    if (CRYPTO_memcmp(text, signature.data() + 2, kMacChars) == 0) {
      link.key = &key;
      return true;
    }
  }
  return false;
}

}  // namespace

LinkState open_link(std::string_view path, std::string_view args, const LinkKeys &keys, std::string_view bind,
                    std::uint64_t now, Link &link, const char *&reason) {
  link = Link();
  std::string_view name;
  OwnArguments own;
  reason = read_path(path, link, name);
  if (!reason) reason = read_arguments(args, own, link);
  if (reason) return LinkState::malformed;

  std::string bytes;
  Record record;
  if (!own.u || !base64url_decode(*own.u, bytes) || !read_record(bytes, record) ||
      !link.url.assign(record.https, record.authority, record.directory, record.name.value_or(name),
                       record.has_query, record.query)) {
    return reason = "bad or missing u", LinkState::malformed;
  }
  if (!own.exp || !read_number(*own.exp, link.exp)) {
    return reason = "bad or missing exp", LinkState::malformed;
  }
  if (own.end && (!read_number(*own.end, link.end) || link.end == 0)) {
    return reason = "bad end", LinkState::malformed;
  }
  if (own.at && !read_position(*own.at, link.at.emplace())) return reason = "bad at", LinkState::malformed;
  if (own.v) {
    if (own.v->empty() || link.kind == LinkKind::media) return reason = "bad v", LinkState::malformed;
    link.variables = *own.v;
  }

  if (!own.sig) return reason = "no signature", LinkState::bad_signature;
  std::string_view directory = link.url.directory();
  std::string_view url = link.url.text();
  std::size_t origin_size = static_cast<std::size_t>(directory.data() - url.data());
  SharedFields shared{link.kind, link.exp, link.end, bind, link.stream_text,
                      url.substr(0, origin_size + directory.size()), origin_size};
  OwnFields fields{name, record.name ? &*record.name : nullptr, record.has_query, record.query,
                   link.at ? &*link.at : nullptr, link.variables};
  if (!verify(keys, shared, fields, *own.sig, link)) {
    return reason = "the signature does not match", LinkState::bad_signature;
  }

  if (link.exp <= now || (link.end && link.end <= now)) return reason = "expired", LinkState::expired;
  reason = nullptr;
  return LinkState::ok;
}

std::string query_with(std::string_view query, std::string_view foreign) {
  if (foreign.empty()) return std::string(query);
  auto added = split_query(foreign);
  std::string result;
  while (!query.empty()) {
    std::size_t end = std::min(query.find('&'), query.size());
    std::string_view piece = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    std::string_view name = piece.substr(0, piece.find('='));
    bool replaced = std::any_of(added.begin(), added.end(),
                                [&](const QueryArgument &a) { return a.name == name; });
    if (!replaced) result.append(piece).push_back('&');
  }
  return result.append(foreign);
}

}  // namespace hls
