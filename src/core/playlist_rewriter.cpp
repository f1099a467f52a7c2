#include "playlist_rewriter.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "percent.h"
#include "playlist_line.h"
#include "playlist_values.h"
#include "reference_policy.h"

namespace hls {

namespace {

constexpr char kBom[] = {'\xEF', '\xBB', '\xBF'};
constexpr std::uint8_t kBomRead = 4;

// How much of the input is looked at in one go: a caller that stops often does not have all that is left
// searched for line ends each time.
constexpr std::size_t kBlock = 65536;
// Unchanged bytes are copied at the latest when there are so many, so that out.full() is seen in time.
constexpr std::ptrdiff_t kMaxRun = 4096;
// More EXT-X-DEFINE lines than a link has room for variables: each is looked up in the query anew.
constexpr unsigned kMaxDefines = 1024;

std::string_view view(const char *from, const char *to) {
  return {from, static_cast<std::size_t>(to - from)};
}

const char *skip_blanks(const char *p, const char *end) {
  while (p != end && is_blank(*p)) ++p;
  return p;
}

// Finds line ends in ascending order: what was found of the one kind is kept while the other comes first.
class LineEnds {
public:
  LineEnds(const char *begin, const char *end) : end_(end), lf_(find(begin, '\n')), cr_(find(begin, '\r')) {}

  /// The first LF or CR at or after `p`, or the end.
  const char *from(const char *p) {
    if (lf_ < p) lf_ = find(p, '\n');
    if (cr_ < p) cr_ = find(p, '\r');
    return std::min(lf_, cr_);
  }

private:
  const char *find(const char *p, char c) const {
    const void *found = p == end_ ? nullptr : std::memchr(p, c, static_cast<std::size_t>(end_ - p));
    return found ? static_cast<const char *>(found) : end_;
  }

  const char *end_;
  const char *lf_;
  const char *cr_;
};

// A value that can stand between quotes on a line of its own (4.2) and is not changed by substitution (4.3).
bool is_quotable(std::string_view value) {
  return !Variables::in(value) && std::none_of(value.begin(), value.end(), [](char c) {
    return c == '"' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
}

}  // namespace

const char *describe(RewriteError error) {
  switch (error) {
    case RewriteError::none: return "no error";
    case RewriteError::uri_too_long: return "a URI is too long";
    case RewriteError::line_too_long: return "a line that carries a URI is too long";
    case RewriteError::unterminated_quote: return "the quote around a URI is not closed";
    case RewriteError::unknown_variable: return "a URI uses a variable that is not defined";
    case RewriteError::nul_in_uri: return "a URI holds a NUL byte";
    case RewriteError::too_many_variables: return "the variables of the playlist are too many or too long";
    case RewriteError::too_many_uris: return "a tag carries too many URIs";
    case RewriteError::hidden_line: return "text inside a line that some players read as a line of its own";
    case RewriteError::ambiguous_attribute: return "a URI in a tag that players read in different ways";
  }
  return "unknown error";
}

PlaylistRewriter::PlaylistRewriter(LinkWriter &links, const Url &base, std::string_view inherited)
    : links_(links), base_(base) {
  if (imported_.decode(inherited)) inherited_ = inherited;
}

// Lines.

RewriteError PlaylistRewriter::feed(std::string_view &in, Output &out) {
  out_ = &out;
  read_bom(in);
  while (!in.empty()) {
    const char *at = in.data();
    const char *end = at + std::min(in.size(), kBlock);
    RewriteError error = feed_block(at, end);
    in.remove_prefix(static_cast<std::size_t>(at - in.data()));
    if (error != RewriteError::none) return error;
    if (at != end) break;   // stopped at a line boundary
  }
  return RewriteError::none;
}

RewriteError PlaylistRewriter::finish(Output &out) {
  out_ = &out;
  if (bom_ < sizeof(kBom)) held_.assign(kBom, bom_);
  bom_ = kBomRead;
  RewriteError error = RewriteError::none;
  last_line_ = true;
  if (mode_ == Mode::hold && !held_.empty()) error = held_line();
  held_.clear();
  return error;
}

// A byte order mark is copied; less than one is the beginning of a line.
void PlaylistRewriter::read_bom(std::string_view &in) {
  while (bom_ < sizeof(kBom) && !in.empty()) {
    if (in.front() != kBom[bom_]) {
      held_.assign(kBom, bom_);
      bom_ = kBomRead;
      return;
    }
    in.remove_prefix(1);
    if (++bom_ == sizeof(kBom)) out_->append({kBom, sizeof(kBom)});
  }
}

// Moves `at` to the end, or to the line boundary where the output is full.
RewriteError PlaylistRewriter::feed_block(const char *&at, const char *end) {
  run_ = at;
  if (after_cr_) {
    after_cr_ = false;
    if (*at == '\n') ++at;
    if (drop_lf_) run_ = at;
  }
  LineEnds line_ends(at, end);
  while (at != end) {
    const char *line_end = line_ends.from(at);
    std::size_t size = static_cast<std::size_t>(line_end - at);
    RewriteError error;
    if (line_end != end && size <= kMaxLine && held_.empty() && mode_ == Mode::hold) {
      error = line(at, line_end);
      if (error != RewriteError::none && run_ < at) flush_to(at);
    } else {
      error = partial_line(at, line_end, line_end != end);
    }
    if (error != RewriteError::none) return error;
    if (line_end == end) {
      at = end;
      break;
    }
    at = end_line(line_end, end);
    if (at - run_ >= kMaxRun) flush_to(at);
    if (out_->full()) break;
  }
  flush_to(at);
  return RewriteError::none;
}

// Returns where the next line starts: a line ends with LF, CR LF, or a CR alone.
const char *PlaylistRewriter::end_line(const char *line_end, const char *end) {
  const char *next = line_end + 1;
  bool drop = dropped_ || mode_ == Mode::drop;
  if (*line_end == '\r') {
    after_cr_ = next == end;
    drop_lf_ = drop;
    if (!after_cr_ && *next == '\n') ++next;
  }
  if (drop) run_ = next;
  held_.clear();
  mode_ = Mode::hold;
  decided_ = dropped_ = false;
  ++line_number_;
  return next;
}

// Bytes of a line that began in an earlier input, goes on in a later one, or is longer than kMaxLine:
// what happens must not depend on which of these it is.
RewriteError PlaylistRewriter::partial_line(const char *at, const char *end, bool ends) {
  flush_to(at);
  if (mode_ == Mode::hold) {
    std::size_t size = std::min(kMaxLine - held_.size(), static_cast<std::size_t>(end - at));
    held_.append(at, size);
    run_ = at += size;
    RewriteError error = RewriteError::none;
    if (at != end) error = overlong_line();
    else if (ends) error = held_line();
    else if (!decided_) error = pass_early();
    if (error != RewriteError::none) return error;
  }
  if (mode_ == Mode::drop) run_ = end;
  if (mode_ == Mode::pass && hidden_.feed(view(at, end))) return RewriteError::hidden_line;
  if (mode_ == Mode::pass_blanks) {
    at = skip_blanks(at, end);
    flush_to(at);
    if (at != end) return RewriteError::line_too_long;
  }
  return RewriteError::none;
}

// held_ is a whole line.
RewriteError PlaylistRewriter::held_line() {
  const char *run = run_;
  run_ = held_.data();
  RewriteError error = line(held_.data(), held_.data() + held_.size());
  if (error != RewriteError::none) return error;
  if (!dropped_) flush_to(held_.data() + held_.size());
  run_ = run;
  return error;
}

// held_ is the beginning of a line that is longer than kMaxLine: decides by that what becomes of it.
RewriteError PlaylistRewriter::overlong_line() {
  const char *end = held_.data() + held_.size();
  const char *at = skip_blanks(held_.data(), end);
  if (at == end) {
    mode_ = Mode::pass_blanks;
  } else if (*at != '#') {
    return RewriteError::line_too_long;
  } else {
    TagLine line = read_tag(at, end);
    if (line.tag && line.tag->carries_uri()) return RewriteError::line_too_long;
    RewriteError error = find_hidden(line, at, end, Extent::overlong);
    if (error == RewriteError::none && line.tag) error = tag(*line.tag, at, line.value);
    if (error != RewriteError::none) return error;
    mode_ = dropped_ ? Mode::drop : Mode::pass;
  }
  if (mode_ != Mode::drop) out_->append(held_);
  held_.clear();
  return RewriteError::none;
}

// A line that is not of interest is not held: it may be of any length.
RewriteError PlaylistRewriter::pass_early() {
  const char *end = held_.data() + held_.size();
  const char *at = skip_blanks(held_.data(), end);
  if (at == end) return RewriteError::none;
  if (*at == '#') {
    TagLine line = read_tag(at, end);
    if (line.open) return RewriteError::none;
    if (!line.tag) {
      RewriteError error = find_hidden(line, at, end, Extent::beginning);
      if (error != RewriteError::none) return error;
      mode_ = Mode::pass;
      out_->append(held_);
      held_.clear();
      return RewriteError::none;
    }
  }
  decided_ = true;
  return RewriteError::none;
}

// Reads the tag at `hash`, a '#'. Names are exact up to ':' or the end of the line (4.1); blanks may follow.
PlaylistRewriter::TagLine PlaylistRewriter::read_tag(const char *hash, const char *end) {
  TagLine line;
  const char *name = hash + 1;
  std::size_t size = static_cast<std::size_t>(end - name);
  std::size_t prefix = std::min<std::size_t>(size, 3);
  if (std::memcmp(name, "EXT", prefix) != 0) return line;
  line.open = true;
  if (prefix < 3) return line;

  std::size_t searched = std::min(size, playlist_tags::kMaxName + 1);
  const char *colon = static_cast<const char *>(std::memchr(name, ':', searched));
  if (colon) {
    line.open = false;
    line.tag = find_tag(view(name, colon));
    line.value = view(colon + 1, end);
    return line;
  }
  const char *name_end = end;
  while (name_end != name && is_blank(name_end[-1])) --name_end;
  line.open = static_cast<std::size_t>(name_end - name) <= playlist_tags::kMaxName;
  if (line.open) line.tag = find_tag(view(name, name_end));
  line.value = view(end, end);
  return line;
}

// A whole line, without its end.
RewriteError PlaylistRewriter::line(const char *at, const char *end) {
  const char *start = at;
  at = skip_blanks(at, end);
  if (at == end) return RewriteError::none;
  expanded_in_line_ = 0;
  if (*at != '#') {
    RewriteError error = uri_line(view(at, end));
    if (error != RewriteError::none || run_ > at) return error;
    hidden_.begin();   // it is copied: no URL over HTTP
    return hidden_.feed(view(at, end)) ? RewriteError::hidden_line : RewriteError::none;
  }
  TagLine line = read_tag(at, end);
  RewriteError error = RewriteError::none;
  if (!HiddenLine::is_plain(at, end) || last_line_) error = find_hidden(line, at, end, Extent::whole);
  if (error != RewriteError::none || !line.tag) return error;
  error = tag(*line.tag, at, line.value);
  if (dropped_) flush_to(start);
  return error;
}

// A line beginning with `hash`, or all that is held of an overlong one. hls.js takes the last word of an
// EXTINF for a segment's URI where no line end follows, which is not known of an overlong one.
RewriteError PlaylistRewriter::find_hidden(const TagLine &line, const char *hash, const char *end,
                                           Extent extent) {
  TagRole role = line.tag ? line.tag->role : TagRole::none;
  if (role == TagRole::steering) return RewriteError::none;
  hidden_.begin(role == TagRole::extinf && (extent == Extent::overlong || last_line_));
  bool found = hidden_.feed(view(hash + 1, end));
  if (role == TagRole::extinf && extent == Extent::overlong) {
    found = found || extinf_hides_reference(line.value, false);
  }
  return found ? RewriteError::hidden_line : RewriteError::none;
}

void PlaylistRewriter::flush_to(const char *to) {
  if (to != run_) out_->append(view(run_, to));
  run_ = to;
}

// Tags.

RewriteError PlaylistRewriter::tag(const Tag &tag, const char *hash, std::string_view value) {
  if (tag.found_in == PlaylistType::media) media_ = true;
  if (tag.found_in == PlaylistType::multivariant) multivariant_ = true;

  switch (tag.role) {
    case TagRole::extinf:
      if (extinf_hides_reference(value, true)) return RewriteError::hidden_line;
      timed_ = timed_ || (!media_ && is_positive(value));
      return RewriteError::none;
    case TagRole::byterange: byterange_ = true; return RewriteError::none;
    case TagRole::tiles: tiles_ = true; return RewriteError::none;
    case TagRole::images_only: images_only_ = true; return RewriteError::none;
    case TagRole::stream_inf: playlist_pending_ = true; return RewriteError::none;
    case TagRole::skip: skip_segments(value); return RewriteError::none;
    case TagRole::media_sequence:
      if (segments_ == 0) media_sequence_ = read_decimal(value);
      return RewriteError::none;
    case TagRole::define: return define(hash, value);
    case TagRole::steering: dropped_ = true; return RewriteError::none;
    case TagRole::uri_value: return uri(value, media_kind(), nullptr, false);
    default: return tag.carries_uri() ? attributes(tag, value) : RewriteError::none;
  }
}

// The order of attributes is free (4.2), so all are read before a URI among them is judged.
RewriteError PlaylistRewriter::attributes(const Tag &tag, std::string_view list) {
  AttributeFacts facts;
  std::size_t count = 0;
  const char *at = list.data(), *end = at + list.size();
  bool elsewhere = false;   // a name may stand where no attribute begins
  AttributeList reader(list);
  Attribute attribute;
  while (reader.next(attribute)) {
    if (attribute.name.empty()) continue;
    for (const UriAttribute &known : tag.uris) {
      if (known.name != attribute.name) continue;
      if (count == kMaxUris) return RewriteError::too_many_uris;
      uris_[count++] = {attribute.value, &known, attribute.unterminated};
      elsewhere = elsewhere || may_hold_name(at, attribute.name.data());
      at = attribute.value.data() + attribute.value.size();
    }
    note(tag.role, attribute, facts);
  }
  if (tag.role == TagRole::image_stream_inf && count == 0) playlist_pending_ = true;
  bool rewrites = tag.role != TagRole::key || rewrites_key(facts);
  if (!rewrites || elsewhere || may_hold_name(at, end)) {
    for (const UriAttribute &known : tag.uris) {
      if (!known.name.empty() && hides_attribute(list, known.name, !rewrites)) {
        return RewriteError::ambiguous_attribute;
      }
    }
  }
  return rewrites ? rewrite_values(tag, facts, count) : RewriteError::none;
}

void PlaylistRewriter::note(TagRole role, const Attribute &attribute, AttributeFacts &facts) {
  std::string_view name = attribute.name, value = attribute.value;
  if (role == TagRole::key && name == "METHOD") {
    facts.method = true;
    facts.encrypted = facts.encrypted || value != "NONE";
  } else if (role == TagRole::key && name == "KEYFORMAT") {
    expanded_.clear();
    bool known = variables_.expand(value, kMaxLine, expanded_) == Expansion::ok;
    facts.key_format = true;
    facts.identity = facts.identity || !known || expanded_ == "identity";
  } else if (role == TagRole::part && name == "BYTERANGE") {
    facts.byterange = true;
  } else if (role == TagRole::preload_hint && name == "TYPE") {
    facts.part_hint = value == "PART";
    facts.hint = value == "MAP" ? UriKind::init : value == "KEY" ? UriKind::key : UriKind::segment;
  } else if (role == TagRole::preload_hint && (name == "BYTERANGE-START" || name == "BYTERANGE-LENGTH")) {
    facts.byterange = true;
  }
}

// 4.4.4.4: with another KEYFORMAT than identity the URI is a name for the DRM, even as https. Players
// differ in which of several KEYFORMATs they take, so one that is identity is enough.
bool PlaylistRewriter::rewrites_key(const AttributeFacts &facts) {
  return (!facts.key_format || facts.identity) && (!facts.method || facts.encrypted);
}

RewriteError PlaylistRewriter::rewrite_values(const Tag &tag, const AttributeFacts &facts,
                                              std::size_t count) {
  // The hinted part is the next one (4.4.5.3): both get the same position, hence the same link.
  Position at;
  bool placed = (tag.role == TagRole::part || facts.part_hint) && !facts.byterange;
  if (placed) at = position(parts_);
  if (tag.role == TagRole::part && parts_ < std::numeric_limits<std::int32_t>::max()) ++parts_;
  if (tag.role == TagRole::map) map_ = true;

  for (std::size_t i = 0; i < count; ++i) {
    const UriValue &value = uris_[i];
    if (value.unterminated) return RewriteError::unterminated_quote;
    UriKind kind = tag.role == TagRole::preload_hint ? facts.hint : value.attribute->kind;
    if (kind == UriKind::segment) kind = media_kind();
    RewriteError error = uri(value.text, kind, placed ? &at : nullptr, value.attribute->absolute);
    if (error != RewriteError::none) return error;
    bool kept = run_ <= value.text.data();
    if (kept && value_hides_attribute(value.text, value.attribute->name)) {
      return RewriteError::ambiguous_attribute;
    }
  }
  return RewriteError::none;
}

// 4.4.5.2: the segments that a delta update leaves out, and with them the EXT-X-MAP that may apply.
void PlaylistRewriter::skip_segments(std::string_view list) {
  AttributeList reader(list);
  Attribute attribute;
  std::uint64_t count = 0;
  while (reader.next(attribute)) {
    if (attribute.name == "SKIPPED-SEGMENTS") count = read_decimal(attribute.value);
  }
  skipped_ = add_saturated(skipped_, count);
  map_ = true;
}

// 4.4.2.3. A definition that cannot be made is left as it is: only a URI that uses it is an error.
RewriteError PlaylistRewriter::define(const char *hash, std::string_view list) {
  if (++defines_ > kMaxDefines) return RewriteError::too_many_variables;
  Definition d = variables_.read_definition(list);
  if (d.ambiguous) encoded_.clear();
  if (d.name) {
    if (!d.value) return RewriteError::none;
    expanded_.clear();
    Expansion expansion = variables_.expand(*d.value, LinkWriter::kMaxVariables, expanded_);
    if (expansion == Expansion::too_long) return RewriteError::too_many_variables;
    return expansion == Expansion::ok ? define_value(*d.name, expanded_) : RewriteError::none;
  }
  if (d.import) {
    const std::string *imported = imported_.find(*d.import);
    return imported ? define_value(*d.import, *imported) : RewriteError::none;
  }
  if (!d.query_parameter) return RewriteError::none;
  return define_query_parameter(hash, *d.query_parameter, list.data() + list.size());
}

// The player would look for the parameter in the query of our link.
RewriteError PlaylistRewriter::define_query_parameter(const char *hash, std::string_view name,
                                                      const char *end) {
  if (!Variables::is_name(name)) return RewriteError::none;
  for (const QueryArgument &argument : split_query(base_.query())) {
    if (percent_decode(argument.name, false) != name) continue;
    std::string value = percent_decode(argument.value, false);
    if (!is_quotable(value)) return RewriteError::none;
    RewriteError error = define_value(name, value);
    if (error != RewriteError::none) return error;
    flush_to(hash);
    for (std::string_view piece : {std::string_view("#EXT-X-DEFINE:NAME=\""), name,
                                   std::string_view("\",VALUE=\""), std::string_view(value),
                                   std::string_view("\"")}) {
      out_->append(piece);
    }
    run_ = end;
    break;
  }
  return RewriteError::none;
}

RewriteError PlaylistRewriter::define_value(std::string_view name, std::string_view value) {
  if (!Variables::is_name(name)) return RewriteError::none;
  if (!variables_.define(name, value)) return RewriteError::too_many_variables;
  encoded_.clear();
  return RewriteError::none;
}

// URIs.

RewriteError PlaylistRewriter::uri_line(std::string_view text) {
  UriKind kind = UriKind::automatic;
  Position at;
  bool placed = false;
  if (playlist_pending_) {
    kind = UriKind::playlist;
  } else if (!multivariant_ && (media_ || timed_)) {
    kind = images_only_ || tiles_ ? UriKind::image : media_kind();
    placed = !byterange_;
    if (placed) at = position(-1);
    segments_ = add_saturated(segments_, 1);
  }
  playlist_pending_ = timed_ = byterange_ = tiles_ = false;
  parts_ = 0;
  return uri(text, kind, placed ? &at : nullptr, false);
}

// Replaces `text`, which lies between run_ and the end of the line, where it is to be replaced.
RewriteError PlaylistRewriter::uri(std::string_view text, UriKind kind, const Position *at, bool absolute) {
  text = trim_blanks(text);
  std::string_view reference = text;
  if (Variables::in(text)) {
    expanded_.clear();
    Expansion expansion = variables_.expand(text, kMaxLine - expanded_in_line_, expanded_);
    if (expansion == Expansion::unknown_variable) return RewriteError::unknown_variable;
    if (expansion == Expansion::too_long) return RewriteError::uri_too_long;
    expanded_in_line_ += expanded_.size();
    reference = trim_blanks(expanded_);
  }
  if (reference.find('\0') != reference.npos) return RewriteError::nul_in_uri;

  switch (judge_reference(links_.scope(), base_, reference, resolved_)) {
    case ReferenceUse::keep: return RewriteError::none;
    case ReferenceUse::too_long: return RewriteError::uri_too_long;
    case ReferenceUse::dead:
      flush_to(text.data());
      links_.write_dead(*out_, kind, absolute);
      break;
    case ReferenceUse::link:
      flush_to(text.data());
      bool child = kind == UriKind::playlist || kind == UriKind::automatic;
      std::string_view variables = child ? child_variables() : std::string_view();
      if (!links_.write(*out_, resolved_, kind, at, variables, absolute)) return RewriteError::uri_too_long;
      break;
  }
  run_ = text.data() + text.size();
  return RewriteError::none;
}

Position PlaylistRewriter::position(std::int32_t part) {
  if (!has_parent_) {
    parent_ = position_parent(base_);
    has_parent_ = true;
  }
  return {parent_, add_saturated(media_sequence_, add_saturated(skipped_, segments_)), part};
}

// What an IMPORT in a child finds. A media playlist defines nothing for others: the links of its rendition
// reports must be those of the multivariant playlist.
std::string_view PlaylistRewriter::child_variables() {
  if (!multivariant_ && !inherited_.empty()) return inherited_;
  if (media_ && !multivariant_) return {};
  if (encoded_.empty()) encoded_ = variables_.encode();
  return encoded_;
}

}  // namespace hls
