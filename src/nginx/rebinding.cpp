#include "rebinding.h"

#include <algorithm>
#include <list>
#include <map>
#include <set>
#include <unordered_map>

#include "core/content_decoder.h"
#include "core/link_name.h"
#include "internal_request.h"
#include "wait.h"
#include "zone.h"

namespace hls_proxy {

namespace {

// ---- what is kept --------------------------------------------------------------------------------

constexpr size_t kMaxStreams = 256;
constexpr size_t kMaxUnits = 500'000;         // segments, parts and URLs of all playlists: some 80 MB
constexpr ngx_msec_t kInUse = 2000;           // what was used since then is kept all the same
constexpr unsigned kMaxFetches = 32;          // at once, and of them
constexpr unsigned kMaxFetchesOfStream = 4;
constexpr size_t kMaxBody = 8 * 1024 * 1024;  // an origin may let each of them wait for its end
constexpr ngx_msec_t kLiveAge = 1000;         // a live playlist is fetched again after it
constexpr ngx_msec_t kFailureAge = 1000;      // and one that could not be fetched
constexpr unsigned kMaxHops = 5;

struct OldPlaylist {
  hls::PlaylistIndex index;
  std::vector<std::uint64_t> urls;   // sorted: hashes of a hash table's own could be made to collide

  bool names(std::uint64_t url) const { return std::binary_search(urls.begin(), urls.end(), url); }
};

struct FreshPlaylist {
  std::shared_ptr<const hls::PlaylistIndex> index;
  std::string variables;
  std::string failure;
  ngx_msec_t at = 0;          // when the index or the failure came
  bool fetching = false;
  bool refused = false;       // by its origin: no generation that lives
};

struct Pair {
  std::shared_ptr<const OldPlaylist> old;
  std::shared_ptr<const hls::PlaylistIndex> fresh;
  std::unique_ptr<hls::MediaRebinder> rebinder;
};

struct Memory {
  std::string stream;
  ngx_msec_t used = 0;
  std::uint64_t number = 0;                                  // the generation that `fresh` is of
  std::map<std::string, FreshPlaylist, std::less<>> fresh;   // by URL
  std::map<std::uint64_t, std::shared_ptr<const OldPlaylist>> old;   // by the zone's id
  std::map<std::pair<std::uint64_t, std::string>, Pair> pairs;

  size_t units() const {
    size_t n = 0;
    for (const auto &[url, playlist] : fresh) {
      if (playlist.index) n += playlist.index->units.size() + playlist.index->addresses.size();
    }
    for (const auto &[id, playlist] : old) n += playlist->index.units.size() + playlist->urls.size();
    for (const auto &[key, pair] : pairs) n += 2 * pair.fresh->addresses.size();
    return n;
  }

  unsigned fetches() const {
    unsigned n = 0;
    for (const auto &[url, playlist] : fresh) n += playlist.fetching;
    return n;
  }

  bool is_in_use() const { return ngx_current_msec - used < kInUse || fetches() != 0; }
};

class Memories {
public:
  Memory &of(const std::string &stream) {
    auto found = by_stream_.find(stream);
    if (found != by_stream_.end()) {
      streams_.splice(streams_.begin(), streams_, found->second);
    } else {
      streams_.emplace_front().stream = stream;
      by_stream_[stream] = streams_.begin();
      shrink();
    }
    streams_.front().used = ngx_current_msec;
    return streams_.front();
  }

  Memory *find(const std::string &stream) {
    auto found = by_stream_.find(stream);
    return found == by_stream_.end() ? nullptr : &*found->second;
  }

  /// Never a stream in use: it would be fetched again at once.
  void shrink() {
    size_t units = 0;
    for (const Memory &memory : streams_) units += memory.units();
    while ((streams_.size() > kMaxStreams || units > kMaxUnits) && !streams_.back().is_in_use()) {
      units -= streams_.back().units();
      by_stream_.erase(streams_.back().stream);
      streams_.pop_back();
    }
  }

private:
  std::list<Memory> streams_;   // the one used last is in front
  std::unordered_map<std::string, std::list<Memory>::iterator> by_stream_;
};

// Of the worker; never destroyed, as its end is the process's.
Memories &memories() {
  static Memories *all = new Memories;
  return *all;
}

// ---- old generations -----------------------------------------------------------------------------

std::shared_ptr<const OldPlaylist> read_old(Zone &zone, Memory &memory, std::uint64_t id) {
  auto found = memory.old.find(id);
  if (found != memory.old.end()) return found->second;
  auto playlist = std::make_shared<OldPlaylist>();
  if (!zone.read_playlist(memory.stream, id, playlist->index)) return nullptr;
  for (const auto &address : playlist->index.addresses) playlist->urls.push_back(address.mark.url);
  std::sort(playlist->urls.begin(), playlist->urls.end());
  memory.old[id] = playlist;
  memories().shrink();
  return playlist;
}

// Versions that the zone has dropped.
void forget_old(Memory &memory, const std::vector<Zone::Remembered> &remembered) {
  std::set<std::uint64_t> ids;
  for (const auto &generation : remembered) {
    for (const auto &playlist : generation.playlists) ids.insert(playlist.id);
  }
  for (auto it = memory.old.begin(); it != memory.old.end();) it = ids.count(it->first) ? ++it : memory.old.erase(it);
  for (auto it = memory.pairs.begin(); it != memory.pairs.end();) {
    bool gone = it->first.first != 0 && !ids.count(it->first.first);
    it = gone ? memory.pairs.erase(it) : ++it;
  }
}

bool occurs_in(Zone &zone, Memory &memory, const Zone::Remembered &generation, std::uint64_t url) {
  if (generation.entry.url == url) return true;
  for (const auto &playlist : generation.playlists) {
    if (playlist.asked.url == url || playlist.self.url == url) return true;
  }
  for (const auto &playlist : generation.playlists) {
    auto old = read_old(zone, memory, playlist.id);
    if (old && old->names(url)) return true;
  }
  return false;
}

// What is remembered of the generation that the URL is of, as the rebind rules want it.
struct OldView {
  bool known = false;
  hls::OldGeneration generation;
  std::string provider;
  std::map<const hls::PlaylistIndex *, std::pair<std::uint64_t, std::shared_ptr<const OldPlaylist>>> playlists;
};

void find_old(Zone &zone, Memory &memory, const hls::UrlMark &mark, std::uint64_t fresh, OldView &view) {
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

// ---- fresh playlists -----------------------------------------------------------------------------

struct Fetch {
  PlaylistFetch what;
  std::shared_ptr<InternalRequest> request;
  std::string uri, inherited, url;
  size_t max_body;
  ngx_msec_t deadline;
  unsigned hops = 0;
};

unsigned fetches = 0;   // that run

const char *index_body(const Fetch &fetch, const InternalResponse &response, FreshPlaylist &to) {
  hls::PlaylistIndexer indexer(fetch.what.link.url, fetch.what.target, fetch.inherited);
  hls::ContentCoding coding = hls::parse_content_coding(response.content_coding);
  if (coding == hls::ContentCoding::unknown) return "it is in an unknown content coding";
  auto decoder = hls::ContentDecoder::create(coding);
  hls::IndexError error = hls::IndexError::none;
  if (!decoder) error = indexer.feed(response.body);
  std::string_view in = response.body;
  char buffer[16384];
  size_t size = 0;
  using Status = hls::ContentDecoder::Status;
  for (Status status = Status::output; decoder && status == Status::output && error == hls::IndexError::none;) {
    size_t written = 0;
    status = decoder->decode(in, buffer, sizeof(buffer), written);
    if (status == Status::error || (status == Status::more)) return "its content coding is broken";
    if ((size += written) > fetch.max_body) return "it is too large";
    error = indexer.feed({buffer, written});
  }
  auto index = std::make_shared<hls::PlaylistIndex>();
  if (error == hls::IndexError::none) error = indexer.finish(*index);
  if (error != hls::IndexError::none) return hls::describe(error);
  to.variables = indexer.variables();
  to.index = std::move(index);
  return nullptr;
}

bool start(const std::shared_ptr<Fetch> &fetch);

// True: the next hop is under way.
bool follow(const std::shared_ptr<Fetch> &fetch, const InternalResponse &response, std::string &failure) {
  hls::Url target;
  if (++fetch->hops > kMaxHops) {
    failure = "it leads to more redirects than are followed";
  } else if (hls::resolve_reference(fetch->what.target, response.location, target) != hls::Reference::http ||
             target.text().size() > hls::LinkWriter::kMaxUrl) {
    failure = "it redirects to what cannot be requested";
  } else if (!in_hosts(*fetch->what.source, target)) {
    failure = "it redirects to a host that is not among \"hosts\"";
  } else {
    fetch->what.target = target;
    if (start(fetch)) return true;
    failure = "no memory";
  }
  return false;
}

void fetched(const std::shared_ptr<Fetch> &fetch, const InternalResponse &response) {
  std::string failure;
  if (is_redirect(response.status) && follow(fetch, response, failure)) return;

  --fetches;
  fetch->request = nullptr;
  const std::string &stream = fetch->what.link.stream_text;
  Memory *memory = memories().find(stream);
  if (memory) memories().of(stream);   // it was used now: shrinking takes others first
  if (memory == nullptr || memory->number != fetch->what.generation.number) return Wait::wake(stream);
  FreshPlaylist &playlist = memory->fresh[fetch->url];
  if (failure.empty() && response.status == NGX_HTTP_OK) {
    if (const char *error = index_body(*fetch, response, playlist)) failure = error;
  } else if (failure.empty()) {
    failure = (fetch->what.asked ? "its origin answered " : "its location, whose rules must let nginx itself pass, "
                                                            "answered ") + std::to_string(response.status);
  }
  playlist.fetching = false;
  playlist.refused = fetch->what.asked && response.status != NGX_HTTP_OK;
  playlist.at = ngx_current_msec;
  playlist.failure = failure;
  if (!failure.empty()) playlist.index = nullptr;
  memories().shrink();
  Wait::wake(stream);
}

bool start(const std::shared_ptr<Fetch> &fetch) {
  fetch->request->set_data(&fetch->what);
  return fetch->request->get(fetch->uri, "", fetch->max_body, fetch->deadline,
                             [fetch](InternalResponse &&response) { fetched(fetch, response); });
}

// Links of the location that the request came to: the same settings, the same way out.
std::string playlist_uri(ngx_http_request_t *r, const hls::Link &link) {
  std::string_view uri = view(r->uri);
  std::string kind = link.kind == hls::LinkKind::playlist ? "/playlist/" : "/media/";
  return std::string(uri.substr(0, uri.rfind(kind + link.stream_text + "/"))) + "/playlist/" + link.stream_text +
         "/index.m3u8";
}

// `wait`: of the request, for which what came since is new, however many others it had to wait for.
bool is_current(const FreshPlaylist &playlist, const Wait *wait) {
  if (!playlist.index) return false;
  bool still = playlist.index->ended || playlist.index->type == hls::PlaylistIndex::Type::multivariant;
  bool awaited = wait && static_cast<ngx_msec_int_t>(playlist.at - wait->since()) >= 0;
  return still || awaited || ngx_current_msec - playlist.at < kLiveAge;
}

// ---- the rules -----------------------------------------------------------------------------------

class Search {
public:
  Search(ngx_http_request_t *r, const Source &source, const hls::Link &link, const hls::Generation &fresh)
      : r_(r), source_(source), link_(link), fresh_(fresh), zone_(*main_conf(r).zone),
        memory_(memories().of(link.stream_text)), dead_(link.url, link.at) {
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
    if (playlist.fetching || fetches >= kMaxFetches || memory_.fetches() >= kMaxFetchesOfStream) return nullptr;
    bool failed = !playlist.failure.empty() && ngx_current_msec - playlist.at < kFailureAge;
    if (!failed && start_fetch(url, inherited)) {
      playlist.fetching = true;
      return nullptr;
    }
    result.state = Rebinding::State::done;
    result.reason = "its fresh playlist could not be read: " + (failed ? playlist.failure : "no memory");
    result.fresh_is_dead = failed && playlist.refused;
    return nullptr;
  }

  bool start_fetch(const hls::Url &url, const std::string &inherited) {
    static std::uint64_t serial = 0;
    auto fetch = std::make_shared<Fetch>();
    fetch->request = InternalRequest::create(r_);
    if (!fetch->request) return false;
    fetch->what.source = const_cast<Source *>(&source_);
    fetch->what.link.stream = link_.stream;
    fetch->what.link.stream_text = link_.stream_text;
    fetch->what.link.url = fetch->what.target = url;
    fetch->what.generation = fresh_;
    fetch->what.serial = std::to_string(ngx_pid) + "." + std::to_string(++serial);
    fetch->uri = playlist_uri(r_, link_);
    fetch->inherited = inherited;
    fetch->url = url.text();
    fetch->max_body = std::min(location_conf(r_).max_playlist, kMaxBody);
    fetch->deadline = source_.deadline;
    if (!start(fetch)) return false;
    ++fetches;
    return true;
  }

  const hls::MediaRebinder &rebinder(const hls::PlaylistIndex *old, const hls::Url &url, const FreshPlaylist &fresh) {
    auto known = old_.playlists.find(old);
    std::uint64_t id = known == old_.playlists.end() ? 0 : known->second.first;
    Pair &pair = memory_.pairs[{id, std::string(url.text())}];
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
  Memory &memory_;
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
  Memory &memory = memories().of(link.stream_text);
  std::uint64_t mark = hls::mark_of(url).url;
  for (const auto &generation : remembered) {
    if (which == Which::dead && !generation.dead) continue;
    if (occurs_in(zone, memory, generation, mark)) return generation.number;
  }
  return 0;
}

}  // namespace hls_proxy
