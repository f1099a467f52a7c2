#include "playlist_index.h"

#include <algorithm>
#include <tuple>

#include "flat_record.h"
#include "playlist_values.h"

namespace hls {

namespace {

using Index = PlaylistIndex;

constexpr std::uint64_t kFormat = 0x485049'01;   // "HPI" and the version
constexpr std::size_t kMaxField = PlaylistIndexer::kMaxLine;

// Parts come before the segment that they make up.
std::pair<std::uint64_t, std::uint32_t> place(std::uint64_t sequence, std::int32_t part) {
  return {sequence, static_cast<std::uint32_t>(part)};
}

}  // namespace

UrlMark mark_of(const Url &url) {
  std::string_view path = url.path_and_query();
  if (url.has_query()) path.remove_suffix(url.query().size() + 1);
  return {hash_bytes(url.text()), hash_bytes(path)};
}

Index::Address::Address(const Url &url) : text(url.text()) {
  if (url.empty()) return;
  mark = mark_of(url);
  name = static_cast<std::uint32_t>(url.name().data() - url.text().data());
  name_size = static_cast<std::uint32_t>(url.name().size());
}

bool Index::Unit::operator==(const Unit &o) const {
  auto all = [](const Unit &u) {
    return std::tie(u.sequence, u.part, u.address, u.duration, u.discontinuity, u.date, u.clock, u.gap,
                    u.map, u.keys);
  };
  return all(*this) == all(o) && range == o.range;
}

bool Index::Rendition::is_like(const Rendition &o) const {
  return role == o.role && std::equal(std::begin(fields), std::end(fields), std::begin(o.fields));
}

bool Index::operator==(const Index &o) const {
  auto all = [](const Index &i) {
    return std::tie(i.type, i.asked, i.self, i.addresses, i.extras, i.renditions, i.units, i.hints, i.maps,
                    i.key_sets, i.ended, i.skipped, i.discontinuity_given, i.segment_count,
                    i.durations_hash);
  };
  return all(*this) == all(o);
}

const Index::Unit *Index::find_unit(std::uint64_t sequence, std::int32_t part) const {
  auto wanted = place(sequence, part);
  auto found = std::lower_bound(units.begin(), units.end(), wanted, [](const Unit &unit, const auto &key) {
    return place(unit.sequence, unit.part) < key;
  });
  return found != units.end() && place(found->sequence, found->part) == wanted ? &*found : nullptr;
}

std::uint32_t Index::find_address(const UrlMark &mark) const {
  std::uint32_t same_path = kNone;
  bool several = false;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (addresses[i].mark == mark) return static_cast<std::uint32_t>(i);
    if (addresses[i].mark.path != mark.path) continue;
    several = same_path != kNone;
    same_path = static_cast<std::uint32_t>(i);
    if (several) break;
  }
  if (!several) return same_path;
  for (std::size_t i = same_path; i < addresses.size(); ++i) {
    if (addresses[i].mark == mark) return static_cast<std::uint32_t>(i);
  }
  return kNone;
}

void Index::count_segments() {
  std::string durations;
  segment_count = 0;
  for (const Unit &unit : units) {
    if (unit.part != -1) continue;
    ++segment_count;
    for (unsigned shift = 0; shift < 64; shift += 8) {
      durations.push_back(static_cast<char>(unit.duration >> shift & 0xff));
    }
  }
  durations_hash = hash_bytes(durations);
}

// Segments before the first EXT-X-PROGRAM-DATE-TIME, up to a discontinuity (4.4.4.6).
void Index::reckon_backwards() {
  std::size_t i = 0;
  while (i < units.size() && (units[i].part != -1 || units[i].clock == Clock::none)) ++i;
  if (i == units.size()) return;
  const Unit *next = &units[i];
  while (i-- > 0) {
    if (units[i].discontinuity != next->discontinuity) return;
    if (units[i].part != -1 || units[i].clock != Clock::none) continue;
    units[i].date = next->date - static_cast<std::int64_t>(units[i].duration);
    units[i].clock = Clock::reckoned;
    next = &units[i];
  }
}

// The flat form.

namespace {

// A URL is what it shares with the one before, and the rest.
class AddressWriter {
public:
  AddressWriter(FlatWriter &to, bool urls) : to_(to), urls_(urls) {}

  void write(const Index::Address &address) {
    if (!urls_) {
      to_.fixed(address.mark.url);
      to_.fixed(address.mark.path);
      return;
    }
    std::size_t most = std::min(last_.size(), address.text.size()), shared = 0;
    while (shared < most && last_[shared] == address.text[shared]) ++shared;
    to_.number(shared);
    to_.text(std::string_view(address.text).substr(shared));
    last_ = address.text;
  }

private:
  FlatWriter &to_;
  bool urls_;
  std::string last_;
};

class AddressReader {
public:
  AddressReader(FlatReader &from, bool urls) : from_(from), urls_(urls) {}

  void read(Index::Address &address) {
    if (!urls_) {
      address.mark.url = from_.fixed();
      address.mark.path = from_.fixed();
      return;
    }
    std::uint64_t shared = from_.number(last_.size());
    std::string_view rest = from_.text();
    bool longest = shared == last_.size() || rest.empty() || rest.front() != last_[shared];
    last_.resize(shared);
    last_.append(rest);
    total_ += last_.size();
    // Empty: there is no such address (the playlist was read from nowhere).
    if (last_.empty() && longest) return;
    if (last_.size() > LinkWriter::kMaxUrl || total_ > Index::kMaxText || !longest ||
        !parse_url(last_, url_) || url_.text() != last_) {
      from_.fail();
      return;
    }
    address = Index::Address(url_);
  }

private:
  FlatReader &from_;
  bool urls_;
  std::string last_;
  std::size_t total_ = 0;
  Url url_;
};

// Ids, with 0 for kNone.
void put_id(FlatWriter &to, std::uint32_t id) { to.number(id == Index::kNone ? 0 : std::uint64_t{id} + 1); }

std::uint32_t take_id(FlatReader &from, std::size_t count) {
  std::uint64_t id = from.number(count);
  return id == 0 ? Index::kNone : static_cast<std::uint32_t>(id - 1);
}

void put_range(FlatWriter &to, const Index::Range &range) {
  to.number(range.offset);
  to.number(range.length);
}

Index::Range take_range(FlatReader &from) {
  std::uint64_t offset = from.number();
  return {true, offset, from.number()};
}

constexpr std::uint64_t kGap = 1, kRange = 2, kReckoned = 4, kGiven = 8, kPart = 16, kAllFlags = 31;

std::uint64_t flag(bool set, std::uint64_t bit) { return set ? bit : 0; }

// Numbers are written as differences from the unit before, which are mostly 0 or 1.
void put_unit(FlatWriter &to, const Index::Unit &unit, const Index::Unit &before) {
  std::uint64_t flags = flag(unit.gap, kGap) | flag(unit.range.present, kRange) |
                        flag(unit.clock == Index::Clock::reckoned, kReckoned) |
                        flag(unit.clock == Index::Clock::given, kGiven) | flag(unit.part >= 0, kPart);
  to.number(flags);
  to.number(unit.sequence - before.sequence);
  if (unit.part >= 0) to.number(static_cast<std::uint64_t>(unit.part));
  put_id(to, unit.address);
  to.number(unit.duration);
  to.signed_number(static_cast<std::int64_t>(unit.discontinuity - before.discontinuity));
  if (unit.clock != Index::Clock::none) {
    to.signed_number(static_cast<std::int64_t>(static_cast<std::uint64_t>(unit.date) -
                                               static_cast<std::uint64_t>(before.date)));
  }
  if (unit.range.present) put_range(to, unit.range);
  put_id(to, unit.map);
  put_id(to, unit.keys);
}

Index::Unit take_unit(FlatReader &from, const Index &index, const Index::Unit &before) {
  Index::Unit unit;
  std::uint64_t flags = from.number(kAllFlags);
  unit.gap = flags & kGap;
  if ((flags & kReckoned) && (flags & kGiven)) from.fail();
  if (flags & kReckoned) unit.clock = Index::Clock::reckoned;
  if (flags & kGiven) unit.clock = Index::Clock::given;
  unit.sequence = before.sequence + from.number();
  if (unit.sequence < before.sequence) from.fail();
  if (flags & kPart) unit.part = static_cast<std::int32_t>(from.number(0x7fffffff));
  unit.address = take_id(from, index.addresses.size());
  unit.duration = from.number();
  unit.discontinuity = before.discontinuity + static_cast<std::uint64_t>(from.signed_number());
  if (unit.clock != Index::Clock::none) {
    unit.date = static_cast<std::int64_t>(static_cast<std::uint64_t>(before.date) +
                                          static_cast<std::uint64_t>(from.signed_number()));
  }
  if (flags & kRange) unit.range = take_range(from);
  unit.map = take_id(from, index.maps.size());
  unit.keys = take_id(from, index.key_sets.size());
  return unit;
}

void put_units(FlatWriter &to, const Index &index) {
  to.number(index.units.size());
  Index::Unit before;
  for (const Index::Unit &unit : index.units) {
    put_unit(to, unit, before);
    std::int64_t date = before.date;
    before = unit;
    if (unit.clock == Index::Clock::none) before.date = date;
  }
}

void take_units(FlatReader &from, Index &index) {
  std::size_t count = from.count(Index::kMaxUnits);
  Index::Unit before;
  index.units.reserve(count);
  for (std::size_t i = 0; i < count && from.ok(); ++i) {
    Index::Unit unit = take_unit(from, index, before);
    if (i > 0 && place(unit.sequence, unit.part) <= place(before.sequence, before.part)) from.fail();
    std::int64_t date = before.date;
    before = unit;
    if (unit.clock == Index::Clock::none) before.date = date;
    index.units.push_back(unit);
  }
}

void put_tables(FlatWriter &to, const Index &index) {
  to.number(index.key_sets.size());
  for (const Index::KeySet &keys : index.key_sets) {
    to.fixed(keys.terms);
    put_id(to, keys.address);
  }
  to.number(index.maps.size());
  for (const Index::Map &map : index.maps) {
    put_id(to, map.address);
    put_id(to, map.keys);
    to.number(map.range.present);
    if (map.range.present) put_range(to, map.range);
  }
  to.number(index.hints.size());
  for (const Index::Hint &hint : index.hints) {
    to.number(hint.sequence);
    to.number(static_cast<std::uint64_t>(hint.part));
    put_id(to, hint.address);
  }
  to.number(index.extras.size());
  for (std::uint32_t extra : index.extras) put_id(to, extra);
}

void take_tables(FlatReader &from, Index &index) {
  index.key_sets.resize(from.count(2 * Index::kMaxUnits));   // of units and of maps
  for (Index::KeySet &keys : index.key_sets) {
    keys.terms = from.fixed();
    keys.address = take_id(from, index.addresses.size());
  }
  index.maps.resize(from.count(Index::kMaxUnits));
  for (Index::Map &map : index.maps) {
    map.address = take_id(from, index.addresses.size());
    map.keys = take_id(from, index.key_sets.size());
    if (from.number(1)) map.range = take_range(from);
  }
  index.hints.resize(from.count(Index::kMaxUnits));
  for (Index::Hint &hint : index.hints) {
    hint.sequence = from.number();
    hint.part = static_cast<std::int32_t>(from.number(0x7fffffff));
    hint.address = take_id(from, index.addresses.size());
  }
  index.extras.resize(from.count(Index::kMaxUnits));
  for (std::uint32_t &extra : index.extras) {
    extra = take_id(from, index.addresses.size());
    if (extra == Index::kNone) from.fail();
  }
}

void put_renditions(FlatWriter &to, const Index &index) {
  to.number(index.renditions.size());
  for (const Index::Rendition &row : index.renditions) {
    to.number(static_cast<std::uint64_t>(row.role));
    put_id(to, row.address);
    to.number(row.bandwidth);
    for (const std::string &field : row.fields) to.text(field);
  }
}

void take_renditions(FlatReader &from, Index &index) {
  std::size_t count = from.count(Index::kMaxRenditions);
  for (std::size_t i = 0; i < count && from.ok(); ++i) {
    Index::Rendition &row = index.renditions.emplace_back();
    row.role = static_cast<Index::Role>(from.number(static_cast<std::uint64_t>(Index::Role::other)));
    row.address = take_id(from, index.addresses.size());
    row.bandwidth = from.number();
    for (std::string &field : row.fields) {
      field = from.text();
      if (field.size() > kMaxField) from.fail();
    }
  }
}

constexpr std::uint64_t kEnded = 1, kSkipped = 2, kDiscontinuityGiven = 4, kUrls = 8, kAllIndexFlags = 15;

}  // namespace

std::string Index::serialise(bool urls) const {
  FlatWriter to;
  to.number(kFormat);
  to.number(flag(ended, kEnded) | flag(skipped, kSkipped) | flag(discontinuity_given, kDiscontinuityGiven) |
            flag(urls, kUrls));
  to.number(static_cast<std::uint64_t>(type));
  AddressWriter address_writer(to, urls);
  address_writer.write(asked);
  address_writer.write(self);
  to.number(addresses.size());
  for (const Address &address : addresses) address_writer.write(address);
  put_tables(to, *this);
  put_renditions(to, *this);
  put_units(to, *this);
  return to.take();
}

bool Index::deserialise(std::string_view bytes, Index &index) {
  FlatReader from(bytes);
  if (from.number() != kFormat) return false;
  Index read;
  std::uint64_t flags = from.number(kAllIndexFlags);
  read.ended = flags & kEnded;
  read.skipped = flags & kSkipped;
  read.discontinuity_given = flags & kDiscontinuityGiven;
  read.type = static_cast<Type>(from.number(static_cast<std::uint64_t>(Type::media)));
  AddressReader address_reader(from, flags & kUrls);
  address_reader.read(read.asked);
  address_reader.read(read.self);
  read.addresses.resize(from.count(4 * kMaxUnits));
  for (Address &address : read.addresses) {
    if (!from.ok()) return false;
    address_reader.read(address);
    if ((flags & kUrls) && address.text.empty()) return false;
  }
  take_tables(from, read);
  take_renditions(from, read);
  take_units(from, read);
  if (!from.at_end()) return false;
  read.count_segments();
  index = std::move(read);
  return true;
}

IndexError index_playlist(const Url &asked, const Url &self, std::string_view inherited,
                          std::string_view playlist, PlaylistIndex &index) {
  PlaylistIndexer indexer(asked, self, inherited);
  IndexError error = indexer.feed(playlist);
  return error == IndexError::none ? indexer.finish(index) : error;
}

const char *describe(IndexError error) {
  switch (error) {
    case IndexError::none: return "no error";
    case IndexError::not_a_playlist: return "it is not a playlist";
    case IndexError::line_too_long: return "a line that matters is too long";
    case IndexError::uri_too_long: return "a URI is too long";
    case IndexError::unterminated_quote: return "the quote around a URI is not closed";
    case IndexError::unknown_variable: return "a URI uses a variable that is not defined";
    case IndexError::too_many_variables: return "the variables of the playlist are too many or too long";
    case IndexError::out_of_order: return "two of its segments or parts have one number";
    case IndexError::too_large: return "it has too many entries";
  }
  return "unknown error";
}

}  // namespace hls
