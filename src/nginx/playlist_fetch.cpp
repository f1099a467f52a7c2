#include "playlist_fetch.h"

#include "core/content_decoder.h"
#include "internal_request.h"
#include "stream_memory.h"
#include "wait.h"

namespace hls_proxy {

namespace {

struct Fetch {
  Zone *zone;
  PlaylistFetch what;
  std::shared_ptr<InternalRequest> request;
  std::string uri, inherited, url;
  size_t max_body;
  ngx_msec_t deadline;
  unsigned hops = 0;
};

constexpr size_t kMaxBody = 8 * 1024 * 1024;   // an origin may let each of many wait for its end

unsigned running = 0;

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

// Players go on in this generation by their old links and never ask for its multivariant playlist: when it dies in
// its turn, nothing else would tell which rendition their media playlists are of.
void remember_renditions(const Fetch &fetch, const FreshPlaylist &playlist) {
  if (!playlist.index || playlist.index->type != hls::PlaylistIndex::Type::multivariant) return;
  const std::string &stream = fetch.what.link.stream_text;
  std::uint64_t number = fetch.what.generation.number;
  if (!fetch.zone->wants(stream, number, playlist.index->self.mark)) return;
  fetch.zone->remember(stream, number, *playlist.index);
}

bool start(const std::shared_ptr<Fetch> &fetch);

// True: the next hop is under way.
bool follow(const std::shared_ptr<Fetch> &fetch, const InternalResponse &response, std::string &failure) {
  hls::Url target;
  const char *reason = redirect_target(*fetch->what.source, fetch->what.target, response.location, ++fetch->hops, target);
  if (reason == nullptr) {
    fetch->what.target = target;
    if (start(fetch)) return true;
    reason = "no memory";
  }
  failure = std::string("its redirect is not followed: ") + reason;
  return false;
}

void fetched(const std::shared_ptr<Fetch> &fetch, const InternalResponse &response) {
  std::string failure;
  if (is_redirect(response.status) && follow(fetch, response, failure)) return;

  --running;
  fetch->request = nullptr;
  const std::string &stream = fetch->what.link.stream_text;
  StreamMemory *memory = StreamMemories::all().find(stream);
  if (memory) StreamMemories::all().of(stream);   // it was used now: shrinking takes others first
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
  remember_renditions(*fetch, playlist);
  StreamMemories::all().shrink();
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

}  // namespace

PlaylistFetch *playlist_fetch_of(ngx_http_request_t *r) {
  return static_cast<PlaylistFetch *>(InternalRequest::data_of(r));
}

bool fetch_playlist(ngx_http_request_t *r, const Source &source, const hls::Link &link,
                    const hls::Generation &generation, const hls::Url &url, const std::string &inherited) {
  static std::uint64_t serial = 0;
  auto fetch = std::make_shared<Fetch>();
  fetch->request = InternalRequest::create(r);
  if (!fetch->request) return false;
  fetch->zone = main_conf(r).zone;
  fetch->what.source = const_cast<Source *>(&source);
  fetch->what.link.stream = link.stream;
  fetch->what.link.stream_text = link.stream_text;
  fetch->what.link.url = fetch->what.target = url;
  fetch->what.generation = generation;
  fetch->what.serial = std::to_string(ngx_pid) + "." + std::to_string(++serial);
  fetch->uri = playlist_uri(r, link);
  fetch->inherited = inherited;
  fetch->url = url.text();
  fetch->max_body = std::min(location_conf(r).max_playlist, kMaxBody);
  fetch->deadline = source.deadline;
  if (!start(fetch)) return false;
  ++running;
  return true;
}

unsigned playlist_fetches() { return running; }

}  // namespace hls_proxy
