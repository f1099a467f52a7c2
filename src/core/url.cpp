#include "url.h"

#include <arpa/inet.h>

#include <array>
#include <cstring>

namespace hls {
namespace {

// What a byte of a reference is. RFC 3986 appendix A for the delimiters; the escaped ones are those that
// RFC 3986 does not allow in a path or query and players write all the same. '%' is not among them: what is
// escaped already stays as it is, and so does a stray '%'. Neither are '[' and ']': players send them raw.
enum : std::uint8_t {
  kEscape = 1,       // controls, space, " < > \ ^ ` { | }, DEL, non-ASCII
  kForbidden = 2,    // NUL, CR, LF: in no reference, not even escaped
  kSlash = 4,
  kQuestion = 8,
  kHash = 16,
  kColon = 32,
  kBracketOrAt = 64, // allowed in a path or query, not in user information
};

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  for (unsigned c = 0; c < 256; c++) classes[c] = c <= 0x20 || c >= 0x7F ? kEscape : 0;
  for (char c : std::string_view("\"<>\\^`{|}")) classes[static_cast<unsigned char>(c)] = kEscape;
  for (char c : std::string_view("\0\r\n", 3)) classes[static_cast<unsigned char>(c)] = kForbidden;
  for (char c : std::string_view("[]@")) classes[static_cast<unsigned char>(c)] = kBracketOrAt;
  classes['/'] = kSlash;
  classes['?'] = kQuestion;
  classes['#'] = kHash;
  classes[':'] = kColon;
  return classes;
}

constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

// Offsets are 32 bits wide and escaping makes three bytes of one.
constexpr std::size_t kMaxLength = 1u << 28;

unsigned class_of(char c) { return kClasses[static_cast<unsigned char>(c)]; }

unsigned classes_of(std::string_view bytes) {
  unsigned seen = 0;
  for (char c : bytes) seen |= class_of(c);
  return seen;
}

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

/// RFC 3986 3.1: the length of the scheme that `ref` begins with, 0 where it begins with none.
std::size_t scheme_length(std::string_view ref) {
  if (ref.empty() || !is_alpha(ref[0])) return 0;
  for (std::size_t i = 1; i < ref.size(); i++) {
    char c = ref[i];
    if (c == ':') return i;
    if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return 0;
  }
  return 0;
}

/// `word` is in lower case.
bool equals_folded(std::string_view text, std::string_view word) {
  if (text.size() != word.size()) return false;
  for (std::size_t i = 0; i < text.size(); i++) {
    if (lower(text[i]) != word[i]) return false;
  }
  return true;
}

/// A name that DNS could know: no empty label (but for the dot at the end), no escapes, nothing non-ASCII.
bool is_host_name(std::string_view host) {
  char before = '.';
  for (char c : host) {
    if (c == '.' ? before == '.' : !is_alpha(c) && !is_digit(c) && c != '-' && c != '_') return false;
    before = c;
  }
  return !host.empty();
}

/// What stands between the brackets; no NUL. No zone either: it would name an interface of ours (RFC 6874 4).
bool is_ipv6(std::string_view literal) {
  char text[INET6_ADDRSTRLEN];
  unsigned char address[16];
  if (literal.size() >= sizeof text) return false;
  std::memcpy(text, literal.data(), literal.size());
  text[literal.size()] = '\0';
  return inet_pton(AF_INET6, text, address) == 1;
}

/// "" and ":8080"; 1 to 65535.
bool is_port(std::string_view text) {
  if (text.empty()) return true;
  if (text[0] != ':' || text.size() == 1) return false;
  unsigned value = 0;
  for (char c : text.substr(1)) {
    if (!is_digit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > 65535) return false;
  }
  return value != 0;
}

bool is_dot_segment(std::string_view segment) { return segment == "." || segment == ".."; }

/// "host" or "[v6]", and what follows it (a port, perhaps).
std::string_view host_of(std::string_view host_and_port, std::string_view &port) {
  std::size_t end = host_and_port.find(host_and_port.substr(0, 1) == "[" ? ']' : ':');
  if (end != host_and_port.npos && host_and_port[end] == ']') end++;
  std::string_view host = host_and_port.substr(0, end);
  port = host_and_port.substr(host.size());
  return host;
}

}  // namespace

/// Writes a Url part after part: scheme, authority, path, query.
struct UrlWriter {
  Url &out;
  unsigned seen = ~0u;   // classes that occur in what is written; all: not known

  Reference none(Reference reason) {
    out.text_.clear();
    out.https_ = false;
    out.authority_ = out.directory_ = out.name_ = out.query_ = 0;
    return reason;
  }

  std::uint32_t position() const { return static_cast<std::uint32_t>(out.text_.size()); }

  /// Bytes of the classes in `escape` become %XX.
  void append_escaped(std::string_view bytes, unsigned escape) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    if (!(escape & seen)) {
      out.text_.append(bytes);
      return;
    }
    std::size_t run = 0;
    for (std::size_t i = 0; i < bytes.size(); i++) {
      if (!(class_of(bytes[i]) & escape)) continue;
      unsigned char c = static_cast<unsigned char>(bytes[i]);
      const char escaped[3] = {'%', kHex[c >> 4], kHex[c & 15]};
      out.text_.append(bytes, run, i - run).append(escaped, 3);
      run = i + 1;
    }
    out.text_.append(bytes, run, bytes.npos);
  }

  void append_folded(std::string_view bytes) {
    std::size_t i = out.text_.size();
    out.text_.append(bytes);
    for (; i < out.text_.size(); i++) out.text_[i] = lower(out.text_[i]);
  }

  /// Copies scheme, authority and as much of the path as is asked for.
  void begin_as(const Url &base, std::uint32_t end) {
    out.text_.assign(base.text_, 0, end);
    out.https_ = base.https_;
    out.authority_ = base.authority_;
    out.directory_ = base.directory_;
  }

  /// RFC 3986 3.2. The last '@' ends the user information, as in the WHATWG's parser: what a browser
  /// would take for the host is the host.
  bool begin(bool https, std::string_view authority) {
    out.https_ = https;
    out.text_.assign(https ? "https://" : "http://");
    out.authority_ = position();

    std::size_t at = authority.rfind('@');
    if (at != authority.npos && at != 0) {
      append_escaped(authority.substr(0, at), kEscape | kBracketOrAt);
      out.text_ += '@';
    }
    if (at != authority.npos) authority.remove_prefix(at + 1);

    std::string_view port;
    std::string_view host = host_of(authority, port);
    if (host.substr(0, 1) == "[") {
      if (host.back() != ']' || !is_ipv6(host.substr(1, host.size() - 2))) return false;
    } else if (!is_host_name(host)) {
      return false;
    }
    if (port == ":") port = {};
    if (!is_port(port)) return false;
    append_folded(host);
    out.text_.append(port);
    out.directory_ = position();
    return true;
  }

  /// RFC 3986 5.2.3 and 5.2.4: what has been written ends with the '/' that `path` follows. Only literal
  /// dots count: upstream sees %2e%2e as it was written. So do only real slashes.
  void append_path(std::string_view path) {
    if (path.find("/.") == path.npos && path.substr(0, 1) != ".") {
      append_escaped(path, kEscape);
    } else {
      for (bool more = true; more;) {
        std::size_t slash = path.find('/');
        std::string_view segment = path.substr(0, slash);
        more = slash != path.npos;
        if (segment == "..") {
          remove_last_segment();
        } else if (segment != ".") {
          append_escaped(segment, kEscape);
          if (more) out.text_ += '/';
        }
        if (more) path.remove_prefix(slash + 1);
      }
    }
    out.name_ = static_cast<std::uint32_t>(out.text_.rfind('/') + 1);
  }

  void remove_last_segment() {
    std::size_t size = out.text_.size();
    if (size > out.directory_ + 1) out.text_.resize(out.text_.rfind('/', size - 2) + 1);
  }

  void append_query(bool has_query, std::string_view query) {
    out.query_ = position();
    if (!has_query) return;
    out.text_ += '?';
    append_escaped(query, kEscape);
  }

  Reference resolve(const Url &base, std::string_view ref);
  bool resolve_sibling(std::string_view ref);
  Reference resolve_path(const Url &base, std::string_view path);
  bool put_together(bool https, std::string_view authority, std::string_view directory,
                    std::string_view name);
};

/// The path of a reference without scheme and authority.
Reference UrlWriter::resolve_path(const Url &base, std::string_view path) {
  if (base.empty()) return none(Reference::unusable);
  if (path.empty()) {
    begin_as(base, base.query_);
    out.name_ = base.name_;
  } else if (path[0] == '/') {
    begin_as(base, base.directory_ + 1);
    append_path(path.substr(1));
  } else {
    begin_as(base, base.name_);
    append_path(path);
  }
  return Reference::http;
}

// An absolute URL that begins as the one before it, in its final form, did: playlists with tokens list
// thousands of a directory's files so, and only the file is left to look at.
bool UrlWriter::resolve_sibling(std::string_view ref) {
  const std::size_t start = out.name_;
  if (start == 0 || ref.size() <= start || ref.size() > kMaxLength || ref[start] == '.' ||
      std::memcmp(ref.data(), out.text_.data(), start) != 0) {
    return false;
  }
  std::size_t end = start;
  unsigned in_name = 0, in_query = 0;
  for (; end < ref.size() && !(class_of(ref[end]) & kQuestion); end++) in_name |= class_of(ref[end]);
  for (std::size_t i = end; i < ref.size(); i++) in_query |= class_of(ref[i]);
  if ((in_name & ~(kBracketOrAt | kColon)) || (in_query & (kEscape | kForbidden | kHash))) return false;
  out.text_.replace(start, out.text_.npos, ref.data() + start, ref.size() - start);
  out.query_ = static_cast<std::uint32_t>(end);
  return true;
}

Reference UrlWriter::resolve(const Url &base, std::string_view ref) {
  if (resolve_sibling(ref)) return Reference::http;
  const std::size_t size = ref.size();
  std::size_t path_end = 0, query_end;
  unsigned in_path = 0, in_query = 0;
  for (; path_end < size && !(class_of(ref[path_end]) & (kQuestion | kHash)); path_end++) {
    in_path |= class_of(ref[path_end]);
  }
  for (query_end = path_end; query_end < size && !(class_of(ref[query_end]) & kHash); query_end++) {
    in_query |= class_of(ref[query_end]);
  }
  seen = in_path | in_query | classes_of(ref.substr(query_end));
  if ((seen & kForbidden) || size > kMaxLength) return none(Reference::unusable);
  if (query_end == 0) return none(Reference::same_document);

  // The usual case: a file beside the playlist, with or without a query.
  if (!(in_path & ~kBracketOrAt) && !(in_query & kEscape) && path_end && ref[0] != '.' && !base.empty()) {
    begin_as(base, base.name_);
    out.text_.append(ref.data(), query_end);
    out.name_ = base.name_;
    out.query_ = base.name_ + static_cast<std::uint32_t>(path_end);
    return Reference::http;
  }

  std::string_view path = ref.substr(0, path_end);
  const std::size_t scheme = in_path & kColon ? scheme_length(path) : 0;
  bool https = base.https_;
  if (scheme) {
    https = equals_folded(path.substr(0, scheme), "https");
    if (!https && !equals_folded(path.substr(0, scheme), "http")) return none(Reference::other);
    path.remove_prefix(scheme + 1);
  }
  if (path.substr(0, 2) == "//") {
    if (!scheme && base.empty()) return none(Reference::unusable);
    path.remove_prefix(2);
    std::size_t slash = path.find('/');
    if (!begin(https, path.substr(0, slash))) return none(Reference::unusable);
    out.text_ += '/';
    append_path(slash == path.npos ? std::string_view() : path.substr(slash + 1));
  } else if (scheme) {
    return none(Reference::unusable);   // "http:a", "http:/a": players disagree on what that names
  } else if (resolve_path(base, path) != Reference::http) {
    return none(Reference::unusable);
  }

  const bool has_query = query_end > path_end;
  append_query(has_query, ref.substr(0, query_end).substr(path_end + has_query));
  return Reference::http;
}

/// All but the query, for parts that must be in their final form.
bool UrlWriter::put_together(bool https, std::string_view authority, std::string_view directory,
                             std::string_view name) {
  constexpr unsigned kNotInPath = kEscape | kForbidden | kQuestion | kHash;
  if (authority.size() + directory.size() + name.size() > kMaxLength) return false;
  if (classes_of(authority) & (kNotInPath | kSlash)) return false;
  if (classes_of(directory) & kNotInPath) return false;
  if (classes_of(name) & (kNotInPath | kSlash)) return false;
  if (directory.empty() || directory.front() != '/' || directory.back() != '/') return false;
  if (is_dot_segment(name)) return false;
  if (!begin(https, authority) || out.authority() != authority) return false;

  out.text_ += '/';
  append_path(directory.substr(1));
  if (std::string_view(out.text_).substr(out.directory_) != directory) return false;   // dot segments
  out.text_.append(name);
  return true;
}

Reference resolve_reference(const Url &base, std::string_view ref, Url &out) {
  return UrlWriter{out}.resolve(base, ref);
}

bool parse_url(std::string_view text, Url &out) {
  return UrlWriter{out}.resolve(Url(), text) == Reference::http;
}

bool Url::assign(bool https, std::string_view authority, std::string_view directory, std::string_view name,
                 bool has_query, std::string_view query) {
  UrlWriter writer{*this};
  bool query_ok = has_query ? !(classes_of(query) & (kEscape | kForbidden | kHash)) : query.empty();
  if (!query_ok || query.size() > kMaxLength || !writer.put_together(https, authority, directory, name)) {
    writer.none(Reference::unusable);
    return false;
  }
  writer.append_query(has_query, query);
  return true;
}

std::string_view Url::host_and_port() const {
  std::string_view text = authority();
  std::size_t at = text.find('@');
  return at == text.npos ? text : text.substr(at + 1);
}

std::string_view Url::host() const {
  std::string_view port;
  std::string_view host = host_of(host_and_port(), port);
  if (host.empty()) return host;
  if (host[0] == '[') return host.substr(1, host.size() - 2);
  if (host.back() == '.') host.remove_suffix(1);
  return host;
}

std::uint16_t Url::port() const {
  std::string_view port;
  host_of(host_and_port(), port);
  if (port.empty()) return https_ ? 443 : 80;
  unsigned value = 0;
  for (char c : port.substr(1)) value = value * 10 + static_cast<unsigned>(c - '0');
  return static_cast<std::uint16_t>(value);
}

std::string_view Url::user_info() const {
  std::string_view text = authority();
  std::size_t at = text.find('@');
  return at == text.npos ? std::string_view() : text.substr(0, at);
}

}  // namespace hls
