#include "rebind.h"

#include <algorithm>
#include <unordered_map>

#include "percent.h"
#include "playlist_line.h"

namespace hls {

namespace {

using Index = PlaylistIndex;
using Refusal = RebindRefusal;
using Rule = RebindRule;

constexpr std::uint32_t kNone = Index::kNone;

Rebound refused(Refusal refusal) { return {refusal, Rule::none, {}}; }

// Dates of one place. What both playlists state is the same to the millisecond that it is written in; what
// is reckoned adds up rounding errors, but must stay far from the neighbours.
bool dates_agree(const Index::Unit &a, const Index::Unit &b) {
  bool given = a.clock == Index::Clock::given && b.clock == Index::Clock::given;
  std::uint64_t tolerance = given ? 1000 : std::min<std::uint64_t>(a.duration / 4, 250000);
  auto [early, late] = std::minmax(a.date, b.date);
  return static_cast<std::uint64_t>(late) - static_cast<std::uint64_t>(early) <= tolerance;
}

// Whether what is numbered a on the one side is always b on the other, and the reverse.
class Pairing {
public:
  bool add(std::uint32_t a, std::uint32_t b) {
    auto there = forward_.try_emplace(a, b), back = backward_.try_emplace(b, a);
    return there.first->second == b && back.first->second == a;
  }

private:
  std::unordered_map<std::uint32_t, std::uint32_t> forward_, backward_;
};

// Arguments by which origins tell renditions, segments and keys apart that share a path. What else is in a
// query rotates.
bool selects(std::string_view name) {
  static constexpr std::string_view kSelectors[] = {
      "audio", "bitrate", "br", "bw", "ch", "channel", "chunk", "codec", "f", "file", "fmt", "format", "height",
      "i", "id", "idx", "index", "itag", "kid", "keyid", "key_id", "l", "lang", "language", "level", "n", "no", "num",
      "number", "part", "profile", "q", "quality", "rate", "rendition", "res", "resolution", "seg", "segment", "seq",
      "sn", "stream", "sub", "subtitle", "track", "type", "v", "variant", "vid", "width"};
  return std::any_of(std::begin(kSelectors), std::end(kSelectors), [&](std::string_view known) {
    return known.size() == name.size() &&
           std::equal(known.begin(), known.end(), name.begin(), [](char a, char b) {
             return a == (b >= 'A' && b <= 'Z' ? b | 0x20 : b);
           });
  });
}

std::string selection(std::string_view query) {
  std::string text;
  for (const QueryArgument &argument : split_query(query)) {
    if (selects(argument.name)) text.append(argument.name).append("=").append(argument.value).append("&");
  }
  return text;
}

std::string_view query_of(std::string_view url) {
  std::size_t question = url.find('?');
  return question == url.npos ? std::string_view() : url.substr(question + 1);
}

bool selects_the_same(const DeadUrl &dead, std::string_view fresh_url) {
  return selection(dead.query) == selection(query_of(fresh_url));
}

// Renditions.

using Row = Index::Rendition;

// More rows than these that differ in nothing but bandwidth are no ladder. A playlist's author must not
// choose how long this takes.
constexpr std::size_t kMaxLike = 32;

// By bandwidth; a row that is there twice counts once. At most kMaxLike + 1.
std::vector<const Row *> rows_like(const Index &index, const Row &row) {
  std::vector<const Row *> rows;
  for (const Row &other : index.renditions) {
    bool again = std::any_of(rows.begin(), rows.end(), [&](const Row *known) { return *known == other; });
    if (!again && other.is_like(row)) rows.push_back(&other);
    if (rows.size() > kMaxLike) break;
  }
  std::sort(rows.begin(), rows.end(), [](const Row *a, const Row *b) { return a->bandwidth < b->bandwidth; });
  return rows;
}

double ratio(const Row &a, const Row &b) {
  auto [low, high] = std::minmax(a.bandwidth, b.bandwidth);
  return low == high ? 1 : static_cast<double>(high) / static_cast<double>(low);
}

// What is measured anew stays nearest to itself: otherwise one was added and another removed.
bool ranks_agree(const std::vector<const Row *> &old, const std::vector<const Row *> &fresh) {
  for (std::size_t i = 0; i < old.size(); ++i) {
    const double own = ratio(*old[i], *fresh[i]);
    for (std::size_t j = 0; j < fresh.size(); ++j) {
      if (i != j && (ratio(*old[i], *fresh[j]) <= own || ratio(*old[j], *fresh[i]) <= own)) return false;
    }
    if (i > 0 && (old[i - 1]->bandwidth == old[i]->bandwidth ||
                  fresh[i - 1]->bandwidth == fresh[i]->bandwidth)) {
      return false;
    }
  }
  return true;
}

// R5.
Refusal find_successor(const Index &old, const Row &row, const Index &fresh, std::uint32_t &address) {
  std::vector<const Row *> before = rows_like(old, row), after = rows_like(fresh, row);
  if (after.empty()) return Refusal::no_rendition;
  if (before.size() != after.size() || before.size() > kMaxLike) return Refusal::ambiguous_rendition;
  if (before.size() > 1 && !ranks_agree(before, after)) return Refusal::ambiguous_rendition;
  std::size_t rank = 0;
  while (!(*before[rank] == row)) ++rank;
  address = after[rank]->address;
  return Refusal::none;
}

// R1 does not need R5 where the row is the same in all it says, among others like it.
bool is_same_row(const Row &row, const Index &fresh, std::uint32_t address) {
  return std::any_of(fresh.renditions.begin(), fresh.renditions.end(), [&](const Row &other) {
    return other.address == address && other.is_like(row) && other.bandwidth == row.bandwidth;
  });
}

// The successor of the rendition that `row` is about. `path`: the one URL of the same path, or kNone.
Refusal successor_of_row(const Index &old, const Row &row, const Index &fresh, std::uint32_t path,
                         std::uint32_t &address) {
  Refusal refusal = find_successor(old, row, fresh, address);
  if (refusal == Refusal::none || path == kNone || !is_same_row(row, fresh, path)) return refusal;
  address = path;
  return Refusal::none;
}

std::vector<std::uint32_t> addresses_of_path(const Index &index, std::uint64_t path) {
  std::vector<std::uint32_t> found;
  for (std::size_t i = 0; i < index.addresses.size(); ++i) {
    if (index.addresses[i].mark.path == path) found.push_back(static_cast<std::uint32_t>(i));
  }
  return found;
}

Rebound accept(const Index &fresh, Rule rule, std::uint32_t address) {
  if (fresh.addresses[address].text.empty()) return refused(Refusal::incomplete);
  return {Refusal::none, rule, fresh.addresses[address].text};
}

// R1 and R5 in a multivariant playlist. `old`: null where it is not remembered.
// `dead`: the URL itself, or null where `mark` is that of its playlist.
Rebound rebind_rendition(const UrlMark &mark, const DeadUrl *dead, const Index *old, const Index &fresh) {
  const std::vector<std::uint32_t> same_path = addresses_of_path(fresh, mark.path);
  const std::uint32_t path = same_path.size() == 1 ? same_path[0] : kNone;
  const std::uint32_t known = old ? old->find_address(mark) : kNone;

  std::uint32_t address = kNone;
  std::size_t rows = 0;
  for (std::size_t i = 0; known != kNone && i < old->renditions.size(); ++i) {
    const Row &row = old->renditions[i];
    if (row.address != known) continue;
    std::uint32_t next = kNone;
    Refusal refusal = successor_of_row(*old, row, fresh, path, next);
    if (refusal != Refusal::none) return refused(refusal);
    if (rows++ > 0 && (next != address || rows > kMaxLike)) return refused(Refusal::ambiguous_rendition);
    address = next;
  }
  if (rows == 0) {
    if (same_path.size() > 1) return refused(Refusal::ambiguous);
    bool same = path != kNone && (!dead || selects_the_same(*dead, fresh.addresses[path].text));
    return same ? accept(fresh, Rule::same_path, path) : refused(Refusal::not_remembered);
  }
  // The same path with another query is the same row under another token, unless the query names it.
  const bool by_path = dead && !(old->addresses[known].mark == mark);
  if (by_path && !selects_the_same(*dead, fresh.addresses[address].text)) return refused(Refusal::not_remembered);
  if (path == address) return accept(fresh, Rule::same_path, path);
  bool among = std::find(same_path.begin(), same_path.end(), address) != same_path.end();
  if (!same_path.empty() && !among) return refused(Refusal::moved);
  return accept(fresh, Rule::same_rendition, address);
}

bool is_entry_itself(const UrlMark &mark, const OldGeneration &old) {
  if (mark == old.entry) return true;
  return old.playlist && (mark == old.playlist->asked.mark || mark == old.playlist->self.mark);
}

// Its path will do, unless that of a rendition is the same.
bool is_of_entry(const UrlMark &mark, const OldGeneration &old) {
  if (is_entry_itself(mark, old)) return true;
  return old.playlist && mark.path == old.entry.path && addresses_of_path(*old.playlist, mark.path).empty();
}

Rebound fresh_entry(const FreshGeneration &fresh, Rule rule) {
  return {Refusal::none, rule, std::string(fresh.entry->text())};
}

bool is_multivariant(const Index *index) { return index && index->type == Index::Type::multivariant; }
bool is_media(const Index *index) { return index && index->type == Index::Type::media; }

// How well a remembered playlist knows the dead URL: 0 not at all, 1 by its path, 2 byte for byte.
int knows(const Index &index, const DeadUrl &dead) {
  std::uint32_t address = kNone;
  if (dead.at) {
    if (index.parent() != dead.at->parent) return 0;
    if (const Index::Unit *unit = index.find_unit(dead.at->sequence, dead.at->part)) address = unit->address;
  } else {
    address = index.find_address(dead.mark);
  }
  if (address == kNone) return 0;
  const UrlMark &mark = index.addresses[address].mark;
  return mark == dead.mark ? 2 : mark.path == dead.mark.path ? 1 : 0;
}

// The playlists that know the dead URL best: of several versions of one the first. With a position there may be
// one only.
std::vector<const Index *> find_old_parents(const DeadUrl &dead, const OldGeneration &old) {
  std::vector<const Index *> best;
  int best_level = 0;
  auto consider = [&](const Index *index) {
    int level = is_media(index) ? knows(*index, dead) : 0;
    if (level == 0 || level < best_level) return;
    if (level > best_level) best.clear();
    best_level = level;
    bool again = std::any_of(best.begin(), best.end(), [&](const Index *i) { return i->self == index->self; });
    if (!again) best.push_back(index);
  };
  consider(old.playlist);
  for (const Index *index : old.media) consider(index);
  if (dead.at && best.size() > 1) best.clear();
  return best;
}

}  // namespace

Rebound rebind_playlist(const DeadUrl &dead, const OldGeneration *old, const FreshGeneration &fresh) {
  if (old && is_of_entry(dead.mark, *old) &&
      (is_entry_itself(dead.mark, *old) || selects_the_same(dead, fresh.entry->text()))) {
    return fresh_entry(fresh, Rule::entry);
  }
  if (old && old->provider != fresh.provider) return refused(Refusal::other_provider);

  const UrlMark entry = mark_of(*fresh.entry);
  bool is_entry = entry.path == dead.mark.path;
  bool in_table = fresh.playlist && !addresses_of_path(*fresh.playlist, dead.mark.path).empty();
  if (is_entry && in_table) return refused(Refusal::ambiguous);
  bool remembered = old && old->playlist && old->playlist->find_address(dead.mark) != kNone;
  if (is_entry && !remembered && !selects_the_same(dead, fresh.entry->text())) {
    return refused(Refusal::not_remembered);
  }
  if (is_entry) {
    return remembered ? refused(Refusal::moved) : fresh_entry(fresh, Rule::same_path);
  }
  if (!is_multivariant(fresh.playlist)) return refused(Refusal::other_structure);
  return rebind_rendition(dead.mark, &dead, old ? old->playlist : nullptr, *fresh.playlist);
}

namespace {

FreshParent find_fresh_parent_of(const Index *parent, const DeadUrl &dead, const OldGeneration *old,
                                 const FreshGeneration &fresh) {
  const Index *table = old ? old->playlist : nullptr;
  if (is_media(fresh.playlist)) {
    bool child = parent && parent != table && !is_of_entry(parent->asked.mark, *old);
    if (is_multivariant(table) || child) return {refused(Refusal::other_structure), nullptr};
    return {fresh_entry(fresh, Rule::entry), parent};
  }
  if (!is_multivariant(fresh.playlist) || is_media(table)) {
    return {refused(Refusal::other_structure), nullptr};
  }
  if (parent) return {rebind_rendition(parent->asked.mark, nullptr, table, *fresh.playlist), parent};
  if (!dead.at) return {refused(Refusal::not_remembered), nullptr};

  std::uint32_t address = kNone;
  for (const Row &row : fresh.playlist->renditions) {
    if (fresh.playlist->addresses[row.address].mark.parent() != dead.at->parent) continue;
    if (address != kNone && address != row.address) return {refused(Refusal::ambiguous), nullptr};
    address = row.address;
  }
  if (address == kNone) return {refused(Refusal::not_remembered), nullptr};
  return {accept(*fresh.playlist, Rule::same_path, address), nullptr};
}

}  // namespace

std::vector<FreshParent> find_fresh_parents(const DeadUrl &dead, const OldGeneration *old,
                                            const FreshGeneration &fresh) {
  if (old && old->provider != fresh.provider) return {{refused(Refusal::other_provider), nullptr}};
  std::vector<const Index *> parents;
  if (old) parents = find_old_parents(dead, *old);
  if (parents.empty()) parents.push_back(nullptr);
  if (parents.size() > kMaxParents) return {{refused(Refusal::ambiguous), nullptr}};
  std::vector<FreshParent> found;
  for (const Index *parent : parents) found.push_back(find_fresh_parent_of(parent, dead, old, fresh));
  return found;
}

FreshParent find_fresh_parent(const DeadUrl &dead, const OldGeneration *old, const FreshGeneration &fresh) {
  return find_fresh_parents(dead, old, fresh).front();
}

// Media playlists.

MediaRebinder::MediaRebinder(const PlaylistIndex *old, const PlaylistIndex &fresh)
    : old_(old), fresh_(fresh) {
  // The segments that a delta update leaves out may have changed keys, discontinuities, anything.
  if (old_ && (old_->skipped || old_->type != Index::Type::media)) old_ = nullptr;
  for (std::size_t i = 0; i < fresh_.addresses.size(); ++i) {
    const Index::Address &address = fresh_.addresses[i];
    paths_[address.mark.path].push_back(static_cast<std::uint32_t>(i));
    names_[address.file_name()].push_back(static_cast<std::uint32_t>(i));
  }
  if (!old_) return;
  vod_ = old_->ended && fresh_.ended && old_->segment_count == fresh_.segment_count &&
         old_->durations_hash == fresh_.durations_hash;
  whole_ = compare_playlists();
}

std::uint32_t MediaRebinder::address_of(const PlaylistIndex &index, const Unit &unit, Slot slot) {
  auto key_of = [&](std::uint32_t keys) { return keys == kNone ? kNone : index.key_sets[keys].address; };
  switch (slot) {
    case Slot::self: return unit.address;
    case Slot::map: return unit.map == kNone ? kNone : index.maps[unit.map].address;
    case Slot::key: return key_of(unit.keys);
    case Slot::map_key: return unit.map == kNone ? kNone : key_of(index.maps[unit.map].keys);
  }
  return kNone;
}

RebindRefusal MediaRebinder::compare_keys(std::uint32_t old, std::uint32_t fresh) const {
  if (old == kNone && fresh == kNone) return Refusal::none;
  if (old == kNone || fresh == kNone) return Refusal::encryption;
  const Index::KeySet &a = old_->key_sets[old], &b = fresh_.key_sets[fresh];
  bool agree = a.terms == b.terms && (a.address == kNone) == (b.address == kNone);
  return agree ? Refusal::none : Refusal::encryption;
}

// Numbers of windows that begin at different places compare only where the playlists state them.
bool MediaRebinder::discontinuities_comparable() const {
  if (old_->discontinuity_given && fresh_.discontinuity_given) return true;
  return !old_->units.empty() && !fresh_.units.empty() &&
         old_->units.front().sequence == fresh_.units.front().sequence;
}

// R4, and what contradicts that the two are one segment even where their paths agree.
// Which keys an init section needs is said by the place of its tag, which a live window moves: no matter to
// the segments.
RebindRefusal MediaRebinder::compare(const Unit &old, const Unit &fresh, bool map_keys) const {
  if (old.duration != fresh.duration) return Refusal::duration;
  if (discontinuities_comparable() && old.discontinuity != fresh.discontinuity) return Refusal::discontinuity;
  bool dated = old.clock != Index::Clock::none && fresh.clock != Index::Clock::none;
  if (dated && !dates_agree(old, fresh)) return Refusal::date;
  if (!(old.range == fresh.range)) return Refusal::byte_range;
  if ((old.map == kNone) != (fresh.map == kNone)) return Refusal::init_section;
  if (old.map != kNone) {
    const Index::Map &a = old_->maps[old.map], &b = fresh_.maps[fresh.map];
    if (!(a.range == b.range)) return Refusal::byte_range;
    Refusal refusal = map_keys ? compare_keys(a.keys, b.keys) : Refusal::none;
    if (refusal != Refusal::none) return refusal;
  }
  return compare_keys(old.keys, fresh.keys);
}

namespace {

// The parts that a playlist lists of one segment.
struct Parts {
  Parts(const Index &index, std::uint64_t sequence) {
    for (const Index::Unit &unit : index.units) {
      if (unit.sequence != sequence) continue;
      if (unit.part < 0) whole = unit.duration;
      else sum = add_saturated(sum, unit.duration), last = unit.duration, ++count;
    }
  }

  std::size_t count = 0;
  std::uint64_t sum = 0, last = 0, whole = 0;   // whole: 0 while the segment grows
};

// Parts are numbered from the first that is left of their segment, and some servers take them away one by one.
bool parts_are_comparable(const Index &old, const Index &fresh, std::uint64_t sequence) {
  Parts before(old, sequence), after(fresh, sequence);
  if (before.count == after.count) return true;
  bool grew = after.count > before.count && before.whole == 0;
  return grew && (after.whole == 0 || add_saturated(after.sum, after.last / 2) >= after.whole);
}

}  // namespace

// All that the two have in common must agree: keys and init sections change at the same places, too.
RebindRefusal MediaRebinder::compare_playlists() {
  std::size_t common = 0, same_path = 0;
  Pairing keys, map_keys, maps, map_addresses;
  for (const Unit &unit : old_->units) {
    const Unit *other = fresh_.find_unit(unit.sequence, unit.part);
    if (!other) continue;
    Refusal refusal = compare(unit, *other, vod_);
    if (refusal != Refusal::none) return refusal;
    if (unit.discontinuity != other->discontinuity) return Refusal::discontinuity;
    auto pair = [&](Slot slot, Pairing &pairing) {
      return pairing.add(address_of(*old_, unit, slot), address_of(fresh_, *other, slot));
    };
    if (!pair(Slot::key, keys) || (vod_ && !pair(Slot::map_key, map_keys))) return Refusal::encryption;
    if (!pair(Slot::map, map_addresses) || !maps.add(unit.map, other->map)) return Refusal::init_section;
    if (unit.address == kNone || other->address == kNone) continue;
    ++common;
    if (old_->addresses[unit.address].mark.path == fresh_.addresses[other->address].mark.path) ++same_path;
  }
  paths_stay_ = same_path > 0 && same_path >= common - same_path;
  return Refusal::none;
}

// One place of the dead URL in the old playlist.
void MediaRebinder::consider(const Unit &old, Slot slot, Verdict &verdict) const {
  ++verdict.places;
  verdict.segment = verdict.segment || slot == Slot::self;
  const Unit *fresh = fresh_.find_unit(old.sequence, old.part);
  if (!fresh || verdict.refusal != Refusal::none) return;
  verdict.refusal = compare(old, *fresh, slot == Slot::map || slot == Slot::map_key);
  if (slot == Slot::self && fresh->gap) verdict.refusal = Refusal::gap;
  std::uint32_t address = address_of(fresh_, *fresh, slot);
  bool other = address == kNone || (verdict.matched > 0 && address != verdict.address);
  if (verdict.refusal == Refusal::none && other) verdict.refusal = Refusal::ambiguous;
  ++verdict.matched;
  verdict.address = address;
  bool old_dated = old.clock != Index::Clock::none, fresh_dated = fresh->clock != Index::Clock::none;
  verdict.dated = verdict.dated && old_dated && fresh_dated;
  verdict.same_clock = verdict.same_clock && old_dated == fresh_dated;
}

MediaRebinder::Verdict MediaRebinder::look(const DeadUrl &dead) const {
  Verdict verdict;
  if (!old_) return verdict;
  if (dead.at) {
    if (old_->parent() != dead.at->parent) return verdict;
    const Unit *unit = old_->find_unit(dead.at->sequence, dead.at->part);
    if (!unit || unit->address == kNone) return verdict;
    const UrlMark &mark = old_->addresses[unit->address].mark;
    // The same path with another query is the same thing under a newer token, unless the query names it.
    bool same = mark == dead.mark || (mark.path == dead.mark.path &&
                                      old_->find_address({0, mark.path}) == unit->address);
    verdict.by_path = !(mark == dead.mark);
    if (same) consider(*unit, Slot::self, verdict);
    return verdict;
  }
  const std::uint32_t known = old_->find_address(dead.mark);
  if (known == kNone) return verdict;
  verdict.by_path = !(old_->addresses[known].mark == dead.mark);
  for (const Unit &unit : old_->units) {
    for (Slot slot : {Slot::self, Slot::map, Slot::key, Slot::map_key}) {
      if (slot == Slot::map_key && !vod_) continue;
      if (address_of(*old_, unit, slot) == known) consider(unit, slot, verdict);
    }
  }
  return verdict;
}

const std::vector<std::uint32_t> &MediaRebinder::of_path(const DeadUrl &dead) const {
  static const std::vector<std::uint32_t> none;
  auto found = paths_.find(dead.mark.path);
  return found == paths_.end() ? none : found->second;
}

Rebound MediaRebinder::accept(RebindRule rule, std::uint32_t address) const {
  return hls::accept(fresh_, rule, address);
}

// R1 alone. A position in the link is signed, hence to be trusted: it must be where the URL stands. Without one
// (keys, init sections) only a complete playlist tells: in a live one the path may be that of the next key, and
// what tells the two apart in the query that is left aside.
Rebound MediaRebinder::by_path_alone(const DeadUrl &dead) const {
  const std::vector<std::uint32_t> &same_path = of_path(dead);
  if (same_path.empty()) return refused(Refusal::not_remembered);
  if (same_path.size() > 1) return refused(Refusal::ambiguous);
  const std::uint32_t path = same_path[0];
  if (!selects_the_same(dead, fresh_.addresses[path].text)) return refused(Refusal::not_remembered);
  if (!dead.at) return fresh_.ended ? accept(Rule::same_path, path) : refused(Refusal::not_remembered);

  const Position &at = *dead.at;
  if (const Unit *unit = fresh_.find_unit(at.sequence, at.part)) {
    if (unit->address != path) return refused(Refusal::moved);
    if (unit->gap) return refused(Refusal::gap);
    return unit->range.present ? refused(Refusal::byte_range) : accept(Rule::same_path, path);
  }
  for (const Index::Hint &hint : fresh_.hints) {
    if (hint.sequence == at.sequence && hint.part == at.part && hint.address == path) {
      return accept(Rule::same_path, path);
    }
  }
  return refused(Refusal::outside_window);
}

Rebound MediaRebinder::judge(const DeadUrl &dead, const Verdict &verdict) const {
  // A complete playlist does not change.
  if (old_->ended && !vod_) return refused(Refusal::fingerprint);
  if (verdict.refusal != Refusal::none) return refused(verdict.refusal);
  if (verdict.matched == 0 || (vod_ && verdict.matched < verdict.places)) {
    // A part that the fresh playlist only hints at has nothing but its path.
    Rebound hinted = dead.at ? by_path_alone(dead) : Rebound{Refusal::outside_window, Rule::none, {}};
    return hinted ? hinted : refused(Refusal::outside_window);
  }
  const std::uint32_t address = verdict.address;
  // The path alone was known: it is the same thing under another token, unless the query names it.
  if (verdict.by_path && !selects_the_same(dead, fresh_.addresses[address].text)) {
    return refused(Refusal::not_remembered);
  }
  auto holds = [&](const std::vector<std::uint32_t> &list) {
    return std::find(list.begin(), list.end(), address) != list.end();
  };

  const std::vector<std::uint32_t> &same_path = of_path(dead);
  if (!same_path.empty() && !holds(same_path)) return refused(Refusal::moved);
  if (same_path.size() == 1) return accept(Rule::same_path, address);

  if (whole_ != Refusal::none) return refused(whole_);
  // Where most segments have kept their paths, one that has not is another (an advertisement).
  if (verdict.segment && same_path.empty() && paths_stay_) return refused(Refusal::moved);
  if (!vod_ && !verdict.same_clock) return refused(Refusal::no_date);
  // A window that went back may have been numbered anew.
  if (!vod_ && !verdict.dated && fresh_.units.back().sequence < old_->units.back().sequence) {
    return refused(Refusal::no_date);
  }
  auto same_name = dead.name.empty() ? names_.end() : names_.find(dead.name);
  if (same_name != names_.end()) {
    if (!holds(same_name->second)) return refused(Refusal::moved);
    if (same_name->second.size() == 1) return accept(Rule::same_name, address);
  }
  if (!vod_ && !verdict.dated) return refused(Refusal::no_date);
  bool is_part = dead.at && dead.at->part >= 0;
  if (is_part && !parts_are_comparable(*old_, fresh_, dead.at->sequence)) return refused(Refusal::moved);
  return accept(Rule::same_place, address);
}

Rebound MediaRebinder::rebind(const DeadUrl &dead) const {
  if (fresh_.type != Index::Type::media) return refused(Refusal::other_structure);
  if (fresh_.skipped) return refused(Refusal::incomplete);
  const Verdict verdict = look(dead);
  return verdict.places == 0 ? by_path_alone(dead) : judge(dead, verdict);
}

const char *name_of(RebindRule rule) {
  switch (rule) {
    case Rule::none: return "none";
    case Rule::entry: return "entry";
    case Rule::same_path: return "same_path";
    case Rule::same_name: return "same_name";
    case Rule::same_place: return "same_place";
    case Rule::same_rendition: return "same_rendition";
  }
  return "unknown";
}

namespace {

struct RefusalText {
  const char *name, *sentence;
};

RefusalText text_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::none: return {"none", "not refused"};
    case Refusal::other_provider: return {"other_provider", "the fresh stream is of another provider"};
    case Refusal::not_remembered: return {"not_remembered", "its place is not known, nor is its path there"};
    case Refusal::ambiguous: return {"ambiguous", "several URLs could take its place"};
    case Refusal::moved: return {"moved", "its path or file name now stands at another place"};
    case Refusal::outside_window: return {"outside_window", "the fresh playlist does not reach its place"};
    case Refusal::other_structure: return {"other_structure", "the fresh playlist is of another type"};
    case Refusal::incomplete: return {"incomplete", "the fresh playlist is not a whole one"};
    case Refusal::fingerprint: return {"fingerprint", "the fresh playlist has other segments"};
    case Refusal::duration: return {"duration", "its duration has changed"};
    case Refusal::discontinuity: return {"discontinuity", "discontinuities have changed"};
    case Refusal::date: return {"date", "its date has changed"};
    case Refusal::no_date: return {"no_date", "a live playlist has no dates to tell by"};
    case Refusal::encryption: return {"encryption", "keys or their terms have changed"};
    case Refusal::init_section: return {"init_section", "init sections have changed"};
    case Refusal::byte_range: return {"byte_range", "byte ranges have changed"};
    case Refusal::gap: return {"gap", "its place is a gap now"};
    case Refusal::no_rendition: return {"no_rendition", "no fresh rendition is like it"};
    case Refusal::ambiguous_rendition:
      return {"ambiguous_rendition", "several fresh renditions are like it"};
  }
  return {"unknown", "unknown"};
}

}  // namespace

const char *name_of(RebindRefusal refusal) { return text_of(refusal).name; }
const char *describe(RebindRefusal refusal) { return text_of(refusal).sentence; }

}  // namespace hls
