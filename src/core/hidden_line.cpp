#include "hidden_line.h"

#include <cstring>

#include "attribute_list.h"

namespace hls {

namespace {

constexpr std::string_view kTags[] = {
    "#EXT-X-MEDIA:",       "#EXT-X-I-FRAME-STREAM-INF:", "#EXT-X-SESSION-DATA:",
    "#EXT-X-SESSION-KEY:", "#EXT-X-CONTENT-STEERING:",
};
constexpr std::uint8_t kAllTags = (1U << (sizeof(kTags) / sizeof(kTags[0]))) - 1;
constexpr std::size_t kTagStart = 4;   // "#EXT"

bool is_alphanumeric(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_scheme_char(unsigned char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; }
bool is_slash(unsigned char c) { return c == '/' || c == '\\'; }

// What players trim: blanks, controls, and white space that is not ASCII; more of the latter does no harm.
bool is_trimmed(unsigned char c) { return c <= 0x20 || c >= 0x7F; }

typedef unsigned char Vector __attribute__((vector_size(16)));

Vector load(const char *p) {
  Vector v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

// The n bytes from `p` on, some of them twice; 8 <= n <= 16.
Vector load(const char *p, std::ptrdiff_t n) {
  typedef std::uint64_t Halves __attribute__((vector_size(16)));
  std::uint64_t low, high;
  std::memcpy(&low, p, sizeof(low));
  std::memcpy(&high, p + n - sizeof(high), sizeof(high));
  return reinterpret_cast<Vector>(Halves{low, high});
}

// HiddenLine may have something to act on.
auto may_be_suspect(Vector v) {
  typedef signed char Signed __attribute__((vector_size(16)));
  return (reinterpret_cast<Signed>(v) < 0x20) | (v == '#');   // controls and what is not ASCII, in one go
}
bool may_be_suspect(unsigned char c) { return c < 0x20 || c >= 0x80 || c == '#'; }

// It has.
template <class Bytes>
auto is_suspect(Bytes v, Bytes before) {
  return ((v < 0x20) & (v != '\t')) | ((v == 'E') & (before == '#')) | ((v == 0x85) & (before == 0xC2)) |
         (((v | 1) == 0xA9) & (before == 0x80));
}

// The end of a name of an attribute that is a URI.
template <class Bytes>
auto ends_name(Bytes v, Bytes before, Bytes first) {
  return ((v == 'I') & (before == 'R') & (first == 'U')) | ((v == 'T') & (before == 'S') & (first == 'I'));
}

template <class Mask>
bool any(Mask mask) {
  std::uint64_t halves[2];
  std::memcpy(halves, &mask, sizeof(mask));
  return (halves[0] | halves[1]) != 0;
}

// `look(load)`: load(n) are the bytes n in front of those looked at.
template <class Look>
bool has(const char *p, const char *end, Look look) {
  std::ptrdiff_t n = end - p;
  if (n >= 16) {
    auto found = look([&](int back) { return load(end - 16 - back); });
    for (; end - p > 16; p += 16) found |= look([&](int back) { return load(p - back); });
    return any(found);
  }
  if (n >= 8) return any(look([&](int back) { return load(p - back, n); }));
  for (; p != end; ++p) {
    if (look([&](int back) { return static_cast<unsigned char>(p[-back]); })) return true;
  }
  return false;
}

bool has_suspect(const char *p, const char *end) {
  return has(p, end, [](auto load) { return is_suspect(load(0), load(1)); });
}

// Whether `text` goes on with '=' and an absolute URL, in quotes or not.
bool assigns_reference(std::string_view text) {
  std::size_t at = 0;
  auto skip = [&] {
    while (at < text.size() && is_trimmed(static_cast<unsigned char>(text[at]))) ++at;
  };
  skip();
  if (at == text.size() || text[at] != '=') return false;
  ++at;
  skip();
  if (at < text.size() && (text[at] == '"' || text[at] == '\'')) ++at;
  HostReference reference;
  for (; at < text.size(); ++at) {
    HostReference::Verdict verdict = reference.step(static_cast<unsigned char>(text[at]));
    if (verdict != HostReference::Verdict::open) return verdict == HostReference::Verdict::yes;
  }
  return false;
}

// No player begins a name behind these, but for the one that searches for name and quote alone.
bool continues_word(char c) {
  return is_alphanumeric(static_cast<unsigned char>(c)) || (c != '\0' && std::strchr("-_.?&/%+;|=~:", c));
}

bool begins_attribute(std::string_view list, std::size_t at, std::size_t name_size) {
  std::string_view rest = list.substr(at + name_size);
  if (at > 0 && continues_word(list[at - 1]) && rest.substr(0, 2) != "=\"") return false;
  return assigns_reference(rest);
}

bool is_plain_name(std::string_view name) {
  for (char c : name) {
    if (!is_alphanumeric(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

// `at` is a place of `name` before the end of the value of `attribute`, or behind the last of them.
bool is_accounted_for(const Attribute &attribute, const char *at, std::string_view name, bool own_values) {
  const char *name_end = attribute.name.data() + attribute.name.size();
  if (at >= attribute.name.data() && at < name_end) {
    return at + name.size() == name_end && is_plain_name(attribute.name);
  }
  return !own_values && attribute.name == name && at >= attribute.value.data();
}

}  // namespace

HostReference::Verdict HostReference::start(unsigned char c) {
  if (is_trimmed(c)) return Verdict::open;
  http_ = 0;
  if (is_slash(c)) state_ = State::slash;
  else if (c == '{') state_ = State::brace;
  else if (is_alphanumeric(c)) state_ = State::scheme;
  else return Verdict::no;
  if ((c | 0x20) == 'h') http_ = 1;
  return Verdict::open;
}

HostReference::Verdict HostReference::step(unsigned char c) {
  constexpr unsigned char kHttps[] = {'h', 't', 't', 'p', 's'};
  constexpr std::uint8_t kNotHttp = 6;
  if (state_ == State::start) return start(c);
  if (state_ == State::brace) return c == '$' ? Verdict::yes : Verdict::no;
  if (c == '\t') return Verdict::open;
  if (c == '{') {
    state_ = State::brace;
    return Verdict::open;
  }
  if (state_ == State::slash) return is_slash(c) ? Verdict::yes : Verdict::no;
  if (state_ == State::colon) return start(c);   // a scheme in front of another one
  if (is_scheme_char(c)) {
    http_ = http_ >= 1 && http_ < 5 && (c | 0x20) == kHttps[http_] ? http_ + 1 : kNotHttp;
    return Verdict::open;
  }
  if (c != ':') return Verdict::no;
  if (http_ == 4 || http_ == 5) return Verdict::yes;
  state_ = State::colon;
  return Verdict::open;
}

void HiddenLine::begin(bool blanks_end_lines) {
  *this = HiddenLine();
  blanks_end_lines_ = blanks_end_lines;
}

bool HiddenLine::is_plain(const char *hash, const char *end) {
  if (end - hash < 2 || !has(hash + 1, end, [](auto load) { return may_be_suspect(load(0)); })) return true;
  return static_cast<unsigned char>(hash[1]) >= 0x20 && !has_suspect(hash + 2, end);
}

bool HiddenLine::idle() const {
  return !blank_so_far_ && !line_start_ && !in_tag_ && !tags_ && !blanks_end_lines_;
}

bool HiddenLine::feed(std::string_view bytes) {
  if (bytes.size() > 2 && idle()) {
    if (step(static_cast<unsigned char>(bytes[0]))) return true;
    bytes.remove_prefix(1);
    // Where there is nothing, the last two bytes are all that the next ones are seen with.
    if (idle() && !has_suspect(bytes.data(), bytes.data() + bytes.size())) {
      bytes.remove_prefix(bytes.size() - 2);
    }
  }
  for (char c : bytes) {
    if (step(static_cast<unsigned char>(c))) return true;
  }
  return false;
}

// The last byte of what may end a line.
bool HiddenLine::ends_line(unsigned char c) const {
  if (c < 0x20) return c == '\0' || c == '\v' || c == '\f' || (c >= 0x1C && c <= 0x1E) ||
                       (c == '\t' && blanks_end_lines_);
  if (c == ' ') return blanks_end_lines_;
  if (c == 0x85) return last_ == 0xC2;
  return (c == 0xA8 || c == 0xA9) && last_ == 0x80 && before_last_ == 0xE2;
}

bool HiddenLine::step(unsigned char c) {
  bool starts_line = ends_line(c);
  before_last_ = last_;
  last_ = c;
  if (c == '#' || tags_) {
    if (tag_step(c)) return true;
  }
  blank_so_far_ = starts_line || (blank_so_far_ && is_trimmed(c));
  if (starts_line && !in_tag_) {
    line_start_ = true;
    reference_.begin();
    return false;
  }
  if (!line_start_ && !in_tag_) return false;
  HostReference::Verdict verdict = reference_.step(c);
  if (verdict == HostReference::Verdict::no) {
    line_start_ = false;
    reference_.begin();
    if (in_tag_) verdict = reference_.step(c);
    if (verdict == HostReference::Verdict::no) reference_.begin();
  }
  return verdict == HostReference::Verdict::yes;
}

// True: "#EXT" where a line may begin.
bool HiddenLine::tag_step(unsigned char c) {
  if (c == '#') {
    tags_ = kAllTags;
    tag_size_ = 0;
    tag_starts_line_ = blank_so_far_;
  }
  for (std::size_t i = 0; i < sizeof(kTags) / sizeof(kTags[0]); ++i) {
    if (!(tags_ >> i & 1)) continue;
    if (static_cast<unsigned char>(kTags[i][tag_size_]) != c) tags_ &= static_cast<std::uint8_t>(~(1U << i));
  }
  if (!tags_) return false;
  ++tag_size_;
  if (tag_size_ == kTagStart && tag_starts_line_) return true;
  if (c != ':') return false;
  tags_ = 0;
  in_tag_ = true;
  reference_.begin();
  return false;
}

bool behind_duration(std::string_view value, bool whole) {
  std::size_t at = 0;
  while (at < value.size() && is_trimmed(static_cast<unsigned char>(value[at]))) ++at;
  while (at < value.size() && ((value[at] >= '0' && value[at] <= '9') || value[at] == '.')) ++at;
  HostReference reference;
  for (; at < value.size(); ++at) {
    HostReference::Verdict verdict = reference.step(static_cast<unsigned char>(value[at]));
    if (verdict != HostReference::Verdict::open) return verdict == HostReference::Verdict::yes;
  }
  return !whole;
}

bool may_hold_name(const char *from, const char *end) {
  return has(from, end, [](auto load) { return ends_name(load(0), load(1), load(2)); });
}

bool hides_attribute(std::string_view list, std::string_view name, bool own_values) {
  AttributeList reader(list);
  Attribute attribute;
  bool more = reader.next(attribute);
  for (std::size_t at = list.find(name); at != list.npos; at = list.find(name, at + 1)) {
    const char *p = list.data() + at;
    while (more && p >= attribute.value.data() + attribute.value.size()) more = reader.next(attribute);
    if (more && is_accounted_for(attribute, p, name, own_values)) continue;
    if (begins_attribute(list, at, name.size())) return true;
  }
  return false;
}

bool value_hides_attribute(std::string_view value, std::string_view name) {
  for (std::size_t at = value.find(name); at != value.npos; at = value.find(name, at + 1)) {
    if (begins_attribute(value, at, name.size())) return true;
  }
  return false;
}

}  // namespace hls
