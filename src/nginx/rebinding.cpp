#include "rebinding.h"

#include "core/link_name.h"
#include "playlist_fetch.h"
#include "stream_memory.h"
#include "wait.h"

namespace hls_proxy {

namespace {

constexpr unsigned kMaxFetches = 32;          // at once, and of them
constexpr unsigned kMaxFetchesOfStream = 4;
constexpr ngx_msec_t kLiveAge = 1000;         // a live playlist is fetched again after it
constexpr ngx_msec_t kFailureAge = 1000;      // and one that could not be fetched

// What is remembered of the generation that the URL is of, as the rebind rules want it.
struct OldView {
  bool known = false;
  hls::OldGeneration generation;
  std::string provider;
  std::map<const hls::PlaylistIndex *, std::pair<std::uint64_t, std::shared_ptr<const OldPlaylist>>> playlists;
};

void find_old(Zone &zone, StreamMemory &memory, const hls::UrlMark &mark, std::uint64_t fresh, OldView &view) {
  std::vector<Zone::Remembered> remembered = zone.remembered(memory.stream);
  forget_old(memory, remembered);
  for (auto &generation : remembered) {
    if (generation.number >= fresh || !occurs_in(zone, memory, generation, mark.url)) continue;
    view.known = true;
    view.provider = std::move(generation.provider);
    view.generation.provider = view.provider;
    view.generation.entry = generation.entry;
    for (const auto &playlist : generation.playlists) {
      auto old = read_old(zone, memory, playlist.id);
      if (!old) continue;
      view.playlists[&old->index] = {playlist.id, old};
      bool is_entry = playlist.asked.url == generation.entry.url;
      if (is_entry && !view.generation.playlist) view.generation.playlist = &old->index;
      if (old->index.type == hls::PlaylistIndex::Type::media) view.generation.media.push_back(&old->index);
    }
    return;
  }
}

// `wait`: of the request, for which what came since is new, however many others it had to wait for.
bool is_current(const FreshPlaylist &playlist, const Wait *wait) {
  if (!playlist.index) return false;
  bool still = playlist.index->ended || playlist.index->type == hls::PlaylistIndex::Type::multivariant;
  bool awaited = wait && static_cast<ngx_msec_int_t>(playlist.at - wait->since()) >= 0;
  return still || awaited || ngx_current_msec - playlist.at < kLiveAge;
}

class Search {
public:
  Search(ngx_http_request_t *r, const Source &source, const hls::Link &link, const hls::Generation &fresh)
      : r_(r), source_(source), link_(link), fresh_(fresh), zone_(*main_conf(r).zone),
        memory_(StreamMemories::all().of(link.stream_text)), dead_(link.url, link.at) {
    if (memory_.number != fresh.number) {
      memory_.fresh.clear();
      memory_.pairs.clear();
      memory_.number = fresh.number;
    }
    find_old(zone_, memory_, dead_.mark, fresh.number, old_);
  }

  Rebinding run() {
    Rebinding result;
    hls::FreshGeneration fresh{fresh_.answer.provider, &fresh_.answer.url, nullptr};
    const hls::OldGeneration *old = old_.known ? &old_.generation : nullptr;
    if (rebind_entry(old, fresh, result.rebound)) return result;

    const FreshPlaylist *entry = fetch(fresh_.answer.url, {}, result);
    if (!entry) return result;
    fresh.playlist = entry->index.get();
    if (link_.kind == hls::LinkKind::playlist) {
      result.rebound = hls::rebind_playlist(dead_, old, fresh);
      if (fresh.playlist->type == hls::PlaylistIndex::Type::multivariant) result.variables = entry->variables;
      return result;
    }

    std::optional<hls::Rebound> agreed;
    for (const hls::FreshParent &parent : hls::find_fresh_parents(dead_, old, fresh)) {
      if (!rebind_in(parent, *entry, result)) return result;
      if (agreed && result.rebound && agreed->url != result.rebound.url) {
        result.rebound = {hls::RebindRefusal::ambiguous, hls::RebindRule::none, {}};
      }
      if (!result.rebound) return result;
      agreed = result.rebound;
    }
    return result;
  }

private:
  // What needs no playlist: the entry itself, and files that are a stream of their own.
  bool rebind_entry(const hls::OldGeneration *old, const hls::FreshGeneration &fresh, hls::Rebound &rebound) {
    if (link_.kind == hls::LinkKind::playlist) {
      if (old) rebound = hls::rebind_playlist(dead_, old, fresh);
      return rebound.rule == hls::RebindRule::entry;
    }
    if (!hls::is_media_name(fresh_.answer.url.name())) return false;
    bool is_entry = old ? dead_.mark == old->entry : dead_.mark.path == hls::mark_of(fresh_.answer.url).path;
    if (old && old->provider != fresh.provider) {
      rebound = {hls::RebindRefusal::other_provider, hls::RebindRule::none, {}};
    } else if (is_entry) {
      rebound = {hls::RebindRefusal::none, old ? hls::RebindRule::entry : hls::RebindRule::same_path,
                 std::string(fresh_.answer.url.text())};
    } else {
      rebound = {hls::RebindRefusal::other_structure, hls::RebindRule::none, {}};
    }
    return true;
  }

  // False: not yet, or its playlist cannot be had; `result` says which.
  bool rebind_in(const hls::FreshParent &parent, const FreshPlaylist &entry, Rebinding &result) {
    result.rebound = parent.playlist;
    hls::Url url;
    if (!parent.playlist || !hls::parse_url(parent.playlist.url, url)) return true;
    bool is_entry = url.text() == fresh_.answer.url.text();
    const FreshPlaylist *child = is_entry ? &entry : fetch(url, entry.variables, result);
    if (child) result.rebound = rebinder(parent.old, url, *child).rebind(dead_);
    return child != nullptr;
  }

  // Null: not yet, or not at all; `result` says which.
  const FreshPlaylist *fetch(const hls::Url &url, const std::string &inherited, Rebinding &result) {
    if (!in_hosts(source_, url)) {
      result.rebound = {};
      result.reason = "the host of its fresh playlist is not among \"hosts\"";
      return nullptr;
    }
    FreshPlaylist &playlist = memory_.fresh[std::string(url.text())];
    if (is_current(playlist, own_context(r_)->wait.get())) return &playlist;
    result.rebound = {};
    result.state = Rebinding::State::waiting;
    if (playlist.fetching || playlist_fetches() >= kMaxFetches || memory_.fetches() >= kMaxFetchesOfStream) return nullptr;
    bool failed = !playlist.failure.empty() && ngx_current_msec - playlist.at < kFailureAge;
    if (!failed && fetch_playlist(r_, source_, link_, fresh_, url, inherited)) {
      playlist.fetching = true;
      return nullptr;
    }
    result.state = Rebinding::State::done;
    result.reason = "its fresh playlist could not be read: " + (failed ? playlist.failure : "no memory");
    result.fresh_is_dead = failed && playlist.refused;
    return nullptr;
  }

  const hls::MediaRebinder &rebinder(const hls::PlaylistIndex *old, const hls::Url &url, const FreshPlaylist &fresh) {
    auto known = old_.playlists.find(old);
    std::uint64_t id = known == old_.playlists.end() ? 0 : known->second.first;
    PlaylistPair &pair = memory_.pairs[{id, std::string(url.text())}];
    if (!pair.rebinder || pair.fresh != fresh.index) {
      pair.old = id ? known->second.second : nullptr;
      pair.fresh = fresh.index;
      pair.rebinder = std::make_unique<hls::MediaRebinder>(id ? &pair.old->index : nullptr, *pair.fresh);
    }
    return *pair.rebinder;
  }

  ngx_http_request_t *r_;
  const Source &source_;
  const hls::Link &link_;
  const hls::Generation &fresh_;
  Zone &zone_;
  StreamMemory &memory_;
  hls::DeadUrl dead_;
  OldView old_;
};

}  // namespace

Rebinding rebind(ngx_http_request_t *r, const Source &source, const hls::Link &link, const hls::Generation &fresh) {
  Rebinding result = Search(r, source, link, fresh).run();
  if (result.state == Rebinding::State::waiting || !result.reason.empty()) return result;
  hls::Url url;
  if (!result.rebound) {
    result.reason = hls::describe(result.rebound.refusal);
  } else if (!hls::parse_url(result.rebound.url, url) || !in_hosts(source, url)) {
    result.reason = "the host of what takes its place is not among \"hosts\"";
  }
  return result;
}

std::uint64_t generation_of(Zone &zone, const hls::Link &link, const hls::Url &url, Which which) {
  std::vector<Zone::Remembered> remembered = zone.remembered(link.stream_text);
  StreamMemory &memory = StreamMemories::all().of(link.stream_text);
  std::uint64_t mark = hls::mark_of(url).url;
  for (const auto &generation : remembered) {
    if (which == Which::dead && !generation.dead) continue;
    if (occurs_in(zone, memory, generation, mark)) return generation.number;
  }
  return 0;
}

}  // namespace hls_proxy
