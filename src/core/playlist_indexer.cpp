#include <algorithm>
#include <map>
#include <optional>

#include "percent.h"
#include "playlist_index.h"
#include "playlist_line.h"
#include "playlist_values.h"
#include "variables.h"

namespace hls {

namespace {

using Index = PlaylistIndex;
using Field = Index::Rendition::Field;

constexpr unsigned kMaxDefines = 1024;
std::uint64_t hash_of_parts(std::initializer_list<std::string_view> parts) {
  std::string bytes;
  for (std::string_view part : parts) bytes.append(std::to_string(part.size())).append(":").append(part);
  return hash_bytes(bytes);
}

struct FieldName {
  std::string_view attribute;
  Field field;
};

// 4.4.6.1
constexpr FieldName kMediaFields[] = {
    {"GROUP-ID", Field::group},       {"NAME", Field::name},
    {"LANGUAGE", Field::language},    {"CHANNELS", Field::channels},
    {"STABLE-RENDITION-ID", Field::stable_id}, {"PATHWAY-ID", Field::pathway}};

// 4.4.6.2 and 4.4.6.3
constexpr FieldName kVariantFields[] = {
    {"RESOLUTION", Field::resolution}, {"CODECS", Field::codecs},
    {"FRAME-RATE", Field::frame_rate}, {"VIDEO-RANGE", Field::video_range},
    {"AUDIO", Field::audio_group},     {"VIDEO", Field::video_group},
    {"SUBTITLES", Field::subtitles_group}, {"CLOSED-CAPTIONS", Field::captions_group},
    {"STABLE-VARIANT-ID", Field::stable_id}, {"PATHWAY-ID", Field::pathway}};

Index::Role media_role(std::string_view type) {
  if (type == "AUDIO") return Index::Role::audio;
  if (type == "VIDEO") return Index::Role::video;
  if (type == "SUBTITLES") return Index::Role::subtitles;
  return Index::Role::other;
}

}  // namespace

struct PlaylistIndexer::State {
  State(const Url &asked, const Url &self, std::string_view inherited);

  // The input.
  IndexError feed(std::string_view in);
  IndexError line(std::string_view text);
  IndexError finish(Index &index);

  // Tags.
  IndexError tag(const Tag &tag, std::string_view value);
  IndexError attributes(const Tag &tag, std::string_view list);
  IndexError key(std::string_view list);
  IndexError map(std::string_view list);
  IndexError part(std::string_view list);
  IndexError hint(std::string_view list);
  IndexError rendition(const Tag &tag, std::string_view list, bool &has_uri);
  IndexError extra(std::string_view list);
  IndexError define(std::string_view list);
  void skip(std::string_view list);

  // URIs.
  IndexError uri_line(std::string_view text);
  IndexError segment(std::string_view text);
  IndexError add_unit(Index::Unit unit);
  IndexError resolve(std::string_view text, std::uint32_t &address);
  IndexError add_extra(std::string_view text);
  IndexError expand_uri(std::string_view text, std::string_view &expanded);
  IndexError text(const Attribute &attribute, std::string &to) const;
  Index::Range range_of(const RangeText &text, std::uint32_t address, std::uint32_t &last,
                        std::uint64_t &end) const;
  std::uint64_t sequence() const {
    return add_saturated(media_sequence_, add_saturated(skipped_, segments_));
  }
  std::uint32_t current_keys();

  struct Key {
    std::string format;
    std::uint64_t terms;
    std::uint32_t address;
  };

  Index index_;
  const Url self_;
  Variables variables_, imported_;
  std::map<std::uint64_t, std::uint32_t> known_;   // of index_.addresses, by UrlMark::url: ordered, since an author
                                                   // of playlists can make hashes collide
  std::size_t text_size_ = 0;

  LineReader lines_{kMaxLine};
  bool first_line_ = true;
  IndexError error_ = IndexError::none;

  bool media_ = false, multivariant_ = false, playlist_pending_ = false, timed_ = false;
  std::optional<Index::Rendition> pending_row_;
  std::uint64_t media_sequence_ = 0, skipped_ = 0, segments_ = 0;
  std::uint64_t discontinuity_base_ = 0, discontinuities_ = 0;
  std::uint64_t duration_ = 0;
  std::int32_t parts_ = 0;
  bool gap_ = false;
  std::optional<RangeText> range_;
  std::uint32_t range_address_ = Index::kNone, part_range_address_ = Index::kNone;
  std::uint64_t range_end_ = 0, part_range_end_ = 0;
  std::vector<Key> keys_;
  std::uint32_t map_ = Index::kNone, key_set_ = Index::kNone;
  bool keys_changed_ = false;
  std::int64_t date_ = 0;         // of the next segment
  Index::Clock clock_ = Index::Clock::none;
  std::uint64_t parts_duration_ = 0;
  unsigned defines_ = 0;
  std::string expanded_;          // scratch
  Url url_;                       // scratch
};

// Lines.

PlaylistIndexer::State::State(const Url &asked, const Url &self, std::string_view inherited) : self_(self) {
  index_.asked = Index::Address(asked);
  index_.self = Index::Address(self);
  imported_.decode(inherited);
}

IndexError PlaylistIndexer::State::feed(std::string_view in) {
  while (!in.empty() && error_ == IndexError::none) {
    switch (lines_.take(in)) {
      case LineReader::more: break;
      case LineReader::line:
        error_ = line(lines_.text());
        lines_.clear();
        break;
      // What is too long is read by its beginning, where that is enough.
      case LineReader::overlong:
        if (matters_to_the_end(lines_.text())) error_ = IndexError::line_too_long;
        break;
    }
  }
  return error_;
}

IndexError PlaylistIndexer::State::line(std::string_view text) {
  if (first_line_) {
    if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
    text = trim_blanks(text);
    if (text.empty()) return IndexError::none;
    first_line_ = false;
    return text.substr(0, 7) == "#EXTM3U" ? IndexError::none : IndexError::not_a_playlist;
  }
  PlaylistLine read = read_playlist_line(text);
  if (read.uri) return uri_line(read.value);
  return read.tag ? tag(*read.tag, read.value) : IndexError::none;
}

IndexError PlaylistIndexer::State::finish(Index &index) {
  if (error_ == IndexError::none) error_ = line(lines_.text());
  if (error_ == IndexError::none && first_line_) error_ = IndexError::not_a_playlist;
  if (error_ != IndexError::none) return error_;
  index_.type = multivariant_ ? Index::Type::multivariant
                : media_ || !index_.units.empty() ? Index::Type::media : Index::Type::unknown;
  index_.reckon_backwards();
  index_.count_segments();
  index = std::move(index_);
  error_ = IndexError::not_a_playlist;   // there is nothing left
  return IndexError::none;
}

// Tags.

IndexError PlaylistIndexer::State::tag(const Tag &tag, std::string_view value) {
  if (tag.found_in == PlaylistType::media) media_ = true;
  if (tag.found_in == PlaylistType::multivariant) multivariant_ = true;

  switch (tag.role) {
    case TagRole::extinf:
      timed_ = timed_ || (!media_ && is_positive(value.substr(0, value.find(','))));
      duration_ = read_microseconds(value.substr(0, value.find(',')));
      return IndexError::none;
    case TagRole::byterange: range_ = read_range(value); return IndexError::none;
    case TagRole::media_sequence:
      if (segments_ == 0) media_sequence_ = read_decimal(value);
      return IndexError::none;
    case TagRole::define: return define(value);
    case TagRole::skip: skip(value); return IndexError::none;
    case TagRole::uri_value: return add_extra(value);
    case TagRole::stream_inf: {
      playlist_pending_ = true;
      bool has_uri = false;
      return rendition(tag, value, has_uri);
    }
    default: break;
  }
  if (tag.name == "EXT-X-GAP") gap_ = true;
  else if (tag.name == "EXT-X-ENDLIST") index_.ended = true;
  else if (tag.name == "EXT-X-DISCONTINUITY") {
    discontinuities_ = add_saturated(discontinuities_, 1);
    if (clock_ == Index::Clock::reckoned) clock_ = Index::Clock::none;
  } else if (tag.name == "EXT-X-DISCONTINUITY-SEQUENCE") {
    if (segments_ == 0 && parts_ == 0) discontinuity_base_ = read_decimal(value);
    index_.discontinuity_given = true;
  } else if (tag.name == "EXT-X-PROGRAM-DATE-TIME") {
    if (std::optional<std::int64_t> date = read_date(value)) {
      date_ = *date;
      clock_ = Index::Clock::given;
    }
  }
  return attributes(tag, value);
}

IndexError PlaylistIndexer::State::attributes(const Tag &tag, std::string_view list) {
  switch (tag.role) {
    case TagRole::key: return tag.found_in == PlaylistType::multivariant ? extra(list) : key(list);
    case TagRole::map: return map(list);
    case TagRole::part: return part(list);
    case TagRole::preload_hint: return hint(list);
    default: break;
  }
  bool has_uri = false;
  if (tag.name == "EXT-X-SESSION-DATA") return extra(list);
  if (tag.found_in != PlaylistType::multivariant || !tag.carries_uri()) return IndexError::none;
  IndexError error = rendition(tag, list, has_uri);
  if (tag.role == TagRole::image_stream_inf && !has_uri) playlist_pending_ = true;
  return error;
}

// 4.4.4.4: a key replaces the one of the same KEYFORMAT, NONE ends them all.
IndexError PlaylistIndexer::State::key(std::string_view list) {
  std::string method, iv, format = "identity", versions, uri;
  AttributeList reader(list);
  Attribute attribute;
  bool has_uri = false;
  while (reader.next(attribute)) {
    IndexError error = IndexError::none;
    if (attribute.name == "METHOD") method = attribute.value;
    else if (attribute.name == "IV") error = text(attribute, iv);
    else if (attribute.name == "KEYFORMAT") error = text(attribute, format);
    else if (attribute.name == "KEYFORMATVERSIONS") error = text(attribute, versions);
    else if (attribute.name == "URI") {
      if (attribute.unterminated) return IndexError::unterminated_quote;
      has_uri = true;
      uri = attribute.value;
    }
    if (error != IndexError::none) return error;
  }
  keys_changed_ = true;
  if (method == "NONE") {
    keys_.clear();
    return IndexError::none;
  }

  Key key{format, 0, Index::kNone};
  if (has_uri && format == "identity") {
    IndexError error = resolve(uri, key.address);
    if (error != IndexError::none) return error;
  }
  // A URI that is no address is the key's name for the DRM, or the key itself (data:).
  std::string_view identifier = key.address == Index::kNone ? uri : std::string_view();
  key.terms = hash_of_parts({method, iv.empty() ? iv : plain_hex(iv), format, versions, identifier});
  auto same = std::find_if(keys_.begin(), keys_.end(), [&](const Key &k) { return k.format == format; });
  if (same != keys_.end()) *same = key;
  else keys_.push_back(key);
  return keys_.size() > 16 ? IndexError::too_large : IndexError::none;
}

// The id of the keys that apply now.
std::uint32_t PlaylistIndexer::State::current_keys() {
  if (!keys_changed_) return key_set_;
  keys_changed_ = false;
  key_set_ = Index::kNone;
  if (keys_.empty()) return key_set_;
  std::string all;
  Index::KeySet set;
  for (const Key &key : keys_) {
    all.append(std::to_string(key.terms)).append(",");
    if (key.address != Index::kNone) set.address = key.address;
  }
  set.terms = hash_of_parts({all});
  // Most playlists that change keys never go back; those that say the same key again do so at once.
  std::vector<Index::KeySet> &sets = index_.key_sets;
  auto known = std::find(sets.begin() + (sets.size() > 8 ? static_cast<std::ptrdiff_t>(sets.size() - 8) : 0),
                         sets.end(), set);
  key_set_ = static_cast<std::uint32_t>(known - sets.begin());
  if (known == sets.end()) sets.push_back(set);
  return key_set_;
}

IndexError PlaylistIndexer::State::map(std::string_view list) {
  Index::Map map;
  AttributeList reader(list);
  Attribute attribute;
  while (reader.next(attribute)) {
    if (attribute.name == "BYTERANGE") {
      RangeText range = read_range(attribute.value);
      map.range = {true, range.offset.value_or(0), range.length};
    } else if (attribute.name == "URI") {
      if (attribute.unterminated) return IndexError::unterminated_quote;
      IndexError error = resolve(attribute.value, map.address);
      if (error != IndexError::none) return error;
    }
  }
  map.keys = current_keys();
  if (map_ != Index::kNone && index_.maps[map_] == map) return IndexError::none;
  if (index_.maps.size() == Index::kMaxUnits) return IndexError::too_large;
  map_ = static_cast<std::uint32_t>(index_.maps.size());
  index_.maps.push_back(map);
  return IndexError::none;
}

// 4.4.4.9
IndexError PlaylistIndexer::State::part(std::string_view list) {
  Index::Unit unit;
  std::optional<RangeText> range;
  AttributeList reader(list);
  Attribute attribute;
  while (reader.next(attribute)) {
    if (attribute.name == "DURATION") unit.duration = read_microseconds(attribute.value);
    else if (attribute.name == "BYTERANGE") range = read_range(attribute.value);
    else if (attribute.name == "GAP") unit.gap = attribute.value == "YES";
    else if (attribute.name == "URI") {
      if (attribute.unterminated) return IndexError::unterminated_quote;
      IndexError error = resolve(attribute.value, unit.address);
      if (error != IndexError::none) return error;
    }
  }
  if (range) unit.range = range_of(*range, unit.address, part_range_address_, part_range_end_);
  unit.part = parts_++;
  unit.date = date_ + static_cast<std::int64_t>(parts_duration_);
  unit.clock = clock_ == Index::Clock::given && parts_duration_ > 0 ? Index::Clock::reckoned : clock_;
  parts_duration_ = std::min(parts_duration_ + unit.duration, kMaxDuration);
  return add_unit(unit);
}

// 4.4.5.3
IndexError PlaylistIndexer::State::hint(std::string_view list) {
  std::string_view type, uri;
  AttributeList reader(list);
  Attribute attribute;
  bool has_uri = false;
  while (reader.next(attribute)) {
    if (attribute.name == "TYPE") type = attribute.value;
    if (attribute.name != "URI") continue;
    if (attribute.unterminated) return IndexError::unterminated_quote;
    has_uri = true;
    uri = attribute.value;
  }
  if (!has_uri) return IndexError::none;
  if (type != "PART") return add_extra(uri);
  Index::Hint hint{sequence(), parts_, Index::kNone};
  IndexError error = resolve(uri, hint.address);
  if (error != IndexError::none || hint.address == Index::kNone) return error;
  if (index_.hints.size() == Index::kMaxUnits) return IndexError::too_large;
  index_.hints.push_back(hint);
  return error;
}

// 4.4.6.1 to 4.4.6.3. The row of an EXT-X-STREAM-INF waits for its URI line.
IndexError PlaylistIndexer::State::rendition(const Tag &tag, std::string_view list, bool &has_uri) {
  Index::Rendition row;
  const bool media = tag.name == "EXT-X-MEDIA";
  if (tag.name == "EXT-X-I-FRAME-STREAM-INF") row.role = Index::Role::i_frame_variant;
  if (tag.role == TagRole::image_stream_inf) row.role = Index::Role::image_variant;
  if (media) row.role = Index::Role::other;
  AttributeList reader(list);
  Attribute attribute;
  while (reader.next(attribute)) {
    IndexError error = IndexError::none;
    const FieldName *begin = media ? std::begin(kMediaFields) : std::begin(kVariantFields);
    const FieldName *end = media ? std::end(kMediaFields) : std::end(kVariantFields);
    const FieldName *field = std::find_if(begin, end, [&](const FieldName &known) {
      return known.attribute == attribute.name;
    });
    if (field != end) error = text(attribute, row.fields[field->field]);
    else if (media && attribute.name == "TYPE") row.role = media_role(attribute.value);
    else if (!media && attribute.name == "BANDWIDTH") row.bandwidth = read_decimal(attribute.value);
    else if (attribute.name == "URI" && tag.role != TagRole::stream_inf) {
      if (attribute.unterminated) return IndexError::unterminated_quote;
      has_uri = true;
      error = resolve(attribute.value, row.address);
    }
    if (error != IndexError::none) return error;
  }
  // Variables can make them far longer than the playlist is.
  for (const std::string &field : row.fields) text_size_ += field.size();
  if (text_size_ > Index::kMaxText / 2) return IndexError::too_large;
  row.fields[Field::frame_rate] = plain_decimal(row.fields[Field::frame_rate]);
  if (!has_uri && !media) pending_row_ = std::move(row);
  if (!has_uri || row.address == Index::kNone) return IndexError::none;
  if (index_.renditions.size() == Index::kMaxRenditions) return IndexError::too_large;
  index_.renditions.push_back(std::move(row));
  return IndexError::none;
}

// A tag whose URI has no place of its own.
IndexError PlaylistIndexer::State::extra(std::string_view list) {
  AttributeList reader(list);
  Attribute attribute;
  while (reader.next(attribute)) {
    if (attribute.name != "URI") continue;
    if (attribute.unterminated) return IndexError::unterminated_quote;
    IndexError error = add_extra(attribute.value);
    if (error != IndexError::none) return error;
  }
  return IndexError::none;
}

// 4.4.5.2
void PlaylistIndexer::State::skip(std::string_view list) {
  AttributeList reader(list);
  Attribute attribute;
  std::uint64_t count = 0;
  while (reader.next(attribute)) {
    if (attribute.name == "SKIPPED-SEGMENTS") count = read_decimal(attribute.value);
  }
  skipped_ = add_saturated(skipped_, count);
  index_.skipped = true;
}

// 4.4.2.3, with the same results as in the rewriter.
IndexError PlaylistIndexer::State::define(std::string_view list) {
  if (++defines_ > kMaxDefines) return IndexError::too_many_variables;
  std::optional<std::string_view> name, value, import, parameter;
  AttributeList reader(list);
  Attribute attribute;
  while (reader.next(attribute)) {
    if (attribute.name == "NAME") name = attribute.value;
    else if (attribute.name == "VALUE") value = attribute.value;
    else if (attribute.name == "IMPORT") import = attribute.value;
    else if (attribute.name == "QUERYPARAM") parameter = attribute.value;
  }

  std::string text;
  if (name) {
    if (!value) return IndexError::none;
    Expansion expansion = variables_.expand(*value, LinkWriter::kMaxVariables, text);
    if (expansion == Expansion::too_long) return IndexError::too_many_variables;
    if (expansion != Expansion::ok) return IndexError::none;
  } else if (import) {
    const std::string *imported = imported_.find(*import);
    if (!imported) return IndexError::none;
    name = import;
    text = *imported;
  } else if (parameter) {
    bool found = false;
    for (const QueryArgument &argument : split_query(self_.query())) {
      found = percent_decode(argument.name, false) == *parameter;
      if (!found) continue;
      text = percent_decode(argument.value, false);
      break;
    }
    bool quotable = !Variables::in(text) && std::none_of(text.begin(), text.end(), [](char c) {
      return c == '"' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    });
    if (!found || !quotable) return IndexError::none;
    name = parameter;
  }
  if (!name || !Variables::is_name(*name)) return IndexError::none;
  return variables_.define(*name, text) ? IndexError::none : IndexError::too_many_variables;
}

// URIs.

IndexError PlaylistIndexer::State::uri_line(std::string_view text) {
  IndexError error = IndexError::none;
  if (playlist_pending_) {
    if (pending_row_) {
      error = resolve(text, pending_row_->address);
      if (error == IndexError::none && pending_row_->address != Index::kNone) {
        if (index_.renditions.size() == Index::kMaxRenditions) return IndexError::too_large;
        index_.renditions.push_back(std::move(*pending_row_));
      }
      pending_row_.reset();
    }
  } else if (!multivariant_ && (media_ || timed_)) {
    error = segment(text);
  } else {
    error = add_extra(text);
  }
  playlist_pending_ = timed_ = gap_ = false;
  range_.reset();
  parts_ = 0;
  parts_duration_ = duration_ = 0;
  return error;
}

IndexError PlaylistIndexer::State::segment(std::string_view text) {
  Index::Unit unit;
  IndexError error = resolve(text, unit.address);
  if (error != IndexError::none) return error;
  unit.duration = duration_;
  unit.gap = gap_;
  unit.date = date_;
  unit.clock = clock_;
  if (range_) unit.range = range_of(*range_, unit.address, range_address_, range_end_);
  error = add_unit(unit);
  segments_ = add_saturated(segments_, 1);
  if (clock_ != Index::Clock::none) {
    date_ += static_cast<std::int64_t>(duration_);
    clock_ = Index::Clock::reckoned;
  }
  return error;
}

// Completes a segment or part by what applies to it at this line.
IndexError PlaylistIndexer::State::add_unit(Index::Unit unit) {
  if (index_.units.size() == Index::kMaxUnits) return IndexError::too_large;
  unit.sequence = sequence();
  if (unit.clock == Index::Clock::none) unit.date = 0;
  unit.discontinuity = add_saturated(discontinuity_base_, discontinuities_);
  unit.map = map_;
  unit.keys = current_keys();
  if (!index_.units.empty()) {
    const Index::Unit &before = index_.units.back();
    bool ascends = before.sequence < unit.sequence ||
                   (before.sequence == unit.sequence && before.part != -1 &&
                    (unit.part == -1 || unit.part > before.part));
    if (!ascends) return IndexError::out_of_order;
  }
  index_.units.push_back(unit);
  return IndexError::none;
}

// Without an offset a range begins where the one before it in the same resource ended (4.4.4.2).
Index::Range PlaylistIndexer::State::range_of(const RangeText &text, std::uint32_t address,
                                              std::uint32_t &last, std::uint64_t &end) const {
  std::uint64_t next = last == address && address != Index::kNone ? end : 0;
  Index::Range range{true, text.offset.value_or(next), text.length};
  last = address;
  end = add_saturated(range.offset, range.length);
  return range;
}

IndexError PlaylistIndexer::State::expand_uri(std::string_view text, std::string_view &expanded) {
  expanded = trim_blanks(text);
  if (!Variables::in(expanded)) return IndexError::none;
  expanded_.clear();
  Expansion expansion = variables_.expand(expanded, kMaxLine, expanded_);
  expanded = trim_blanks(expanded_);
  if (expansion == Expansion::unknown_variable) return IndexError::unknown_variable;
  return expansion == Expansion::ok ? IndexError::none : IndexError::uri_too_long;
}

// Text that is no URI stays as it is where a variable is not known.
IndexError PlaylistIndexer::State::text(const Attribute &attribute, std::string &to) const {
  to.clear();
  Expansion expansion = variables_.expand(attribute.value, kMaxLine, to);
  if (expansion == Expansion::too_long) return IndexError::line_too_long;
  if (expansion != Expansion::ok) to = attribute.value;
  return IndexError::none;
}

// kNone for what is not requested over HTTP.
IndexError PlaylistIndexer::State::resolve(std::string_view text, std::uint32_t &address) {
  std::string_view reference;
  IndexError error = expand_uri(text, reference);
  address = Index::kNone;
  if (error != IndexError::none) return error;
  if (resolve_reference(self_, reference, url_) != Reference::http) return IndexError::none;
  if (url_.text().size() > LinkWriter::kMaxUrl) return IndexError::uri_too_long;
  Index::Address found(url_);
  auto [known, is_new] = known_.try_emplace(found.mark.url, static_cast<std::uint32_t>(index_.addresses.size()));
  address = known->second;
  if (!is_new) return IndexError::none;
  text_size_ += url_.text().size();
  if (text_size_ > Index::kMaxText / 2 || index_.addresses.size() == 4 * Index::kMaxUnits) {
    return IndexError::too_large;
  }
  index_.addresses.push_back(std::move(found));
  return IndexError::none;
}

IndexError PlaylistIndexer::State::add_extra(std::string_view text) {
  std::uint32_t address;
  IndexError error = resolve(text, address);
  if (error != IndexError::none || address == Index::kNone) return error;
  if (index_.extras.size() == Index::kMaxUnits) return IndexError::too_large;
  index_.extras.push_back(address);
  return error;
}

// The interface.

PlaylistIndexer::PlaylistIndexer(const Url &asked, const Url &self, std::string_view inherited)
    : state_(new State(asked, self, inherited)) {}

PlaylistIndexer::~PlaylistIndexer() = default;
IndexError PlaylistIndexer::feed(std::string_view in) { return state_->feed(in); }
IndexError PlaylistIndexer::finish(PlaylistIndex &index) { return state_->finish(index); }
std::string PlaylistIndexer::variables() const { return state_->variables_.encode(); }

}  // namespace hls
