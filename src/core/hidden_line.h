// Text that is no line and no attribute by RFC 8216bis 4.1 and 4.2, yet is one to some players: what they
// would fetch from there must not pass a rewriter that reads by the letter.

#ifndef HLS_HIDDEN_LINE_H
#define HLS_HIDDEN_LINE_H

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hls {

/// Recognises, byte by byte, a reference that leads away from the relay: "//", with any schemes before it,
/// "http:" or "https:" alone (browsers add the slashes), or a variable, which may hold any of them. '\' is
/// a '/' and TAB is nothing, as in the WHATWG URL standard; blanks, controls and bytes that are not ASCII may
/// stand in front.
class HostReference {
public:
  enum class Verdict : std::uint8_t { open, no, yes };

  void begin() { state_ = State::start; }
  Verdict step(unsigned char c);

private:
  enum class State : std::uint8_t { start, scheme, colon, slash, brace };

  Verdict start(unsigned char c);

  State state_ = State::start;
  std::uint8_t http_ = 0;   // bytes of "https" seen, from the beginning of a scheme
};

/// Searches one line, given in pieces of any size, for what some players take for
/// - a line of its own: an absolute URL or "#EXT" behind a NUL (ffmpeg), U+2028 or U+2029 (hls.js), VT, FF,
///   FS, GS, RS or U+0085 (Python's splitlines());
/// - a tag in its midst (hls.js searches multivariant playlists for the names of some tags), with an
///   absolute URL anywhere behind it.
class HiddenLine {
public:
  /// Whether feed() would find nothing in a line, from its first '#' on: true for nearly all lines, and fast;
  /// false does not say that it would find something.
  static bool is_plain(const char *hash, const char *end);

  /// Begins a line. `blanks_end_lines`: an absolute URL behind a blank counts, too.
  void begin(bool blanks_end_lines = false);

  /// What follows the first '#' of the line, or the whole of a line without one. True: found.
  bool feed(std::string_view bytes);

private:
  bool step(unsigned char c);
  bool ends_line(unsigned char c) const;
  bool tag_step(unsigned char c);
  bool idle() const;

  HostReference reference_;
  unsigned char last_ = 0, before_last_ = 0;
  std::uint8_t tags_ = 0;         // a bit for each of the names that may stand here
  std::uint8_t tag_size_ = 0;     // how many of their bytes were seen
  bool blank_so_far_ = false;     // nothing but blanks since what may end a line
  bool line_start_ = false;       // reference_ is at work since then
  bool tag_starts_line_ = false;
  bool in_tag_ = false;           // reference_ searches all that follows
  bool blanks_end_lines_ = false;
};

/// hls.js takes for a segment's URI what follows the duration of an EXTINF and is no comma. `whole`: the line
/// ends with `value`; before its end an undecided one counts.
bool behind_duration(std::string_view value, bool whole);

inline bool extinf_hides_reference(std::string_view value, bool whole) {
  const char *p = value.data(), *end = p + value.size();
  while (p != end && static_cast<unsigned char>(*p - '.') <= '9' - '.' && *p != '/') ++p;
  return (p == end || *p != ',') && behind_duration(value, whole);
}

/// Whether an absolute URL is assigned to `name` in `list` where no attribute begins: inside the value of
/// another one, or behind bytes that some players skip before a name. Values of attributes of this name are
/// searched only where `own_values`.
bool hides_attribute(std::string_view list, std::string_view name, bool own_values);

/// The same for a single value.
bool value_hides_attribute(std::string_view value, std::string_view name);

/// Whether the name of an attribute that is a URI (they end in "URI" or "LIST") may end between the two.
/// There are two bytes in front of `from`.
bool may_hold_name(const char *from, const char *end);

}  // namespace hls

#endif
