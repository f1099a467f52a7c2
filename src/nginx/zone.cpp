#include "zone.h"

#include <algorithm>
#include <new>

#include "zone_memory.h"

extern "C" ngx_module_t ngx_http_hls_proxy_module;

namespace hls_proxy {

namespace {

constexpr ngx_msec_t kPlaylistAge = 1000;   // before wants() asks for a playlist again

}  // namespace

/// Where bytes go that are copied under the lock: it grows only when told to.
class Zone::Buffer {
public:
  /// False: no room; grow() without the lock, then look again.
  bool put(const void *data, size_t size) {
    wanted_ = size;
    to_ = size <= sizeof(small_) ? small_ : large_.data();
    if (size > std::max(sizeof(small_), large_.size())) return false;
    ngx_memcpy(to_, data, size);
    return true;
  }

  void grow() { large_.resize(wanted_); }
  std::string_view bytes() const { return {to_, wanted_}; }

private:
  char small_[4096];
  std::string large_;
  char *to_ = small_;
  size_t wanted_ = 0;
};

// ---- configuration -------------------------------------------------------------------------------

ngx_int_t Zone::init(ngx_shm_zone_t *shm, void *data) {
  auto *pool = reinterpret_cast<ngx_slab_pool_t *>(shm->shm.addr);
  if (data || shm->shm.exists) {   // of the configuration before this one
    auto *shared = static_cast<Shared *>(pool->data);
    if (shared && shared->layout == Shared::kLayout) return NGX_OK;
    ngx_log_error(NGX_LOG_EMERG, shm->shm.log, 0,
                  "hls_proxy_zone \"%V\" was made by another version of the module: "
                  "give it another name, or restart nginx", &shm->shm.name);
    return NGX_ERROR;
  }
  if (Shared *shared = Shared::make(pool, shm->shm.name)) {
    shared->busy = 0;
    return NGX_OK;
  }
  ngx_log_error(NGX_LOG_EMERG, shm->shm.log, 0, "hls_proxy_zone \"%V\" is too small", &shm->shm.name);
  return NGX_ERROR;
}

Zone *Zone::create(ngx_conf_t *cf, std::string_view name, size_t size) {
  void *memory = ngx_palloc(cf->pool, sizeof(Zone));
  ngx_str_t text = {name.size(), static_cast<u_char *>(ngx_pnalloc(cf->pool, name.size()))};
  if (memory == nullptr || text.data == nullptr) return nullptr;
  ngx_memcpy(text.data, name.data(), name.size());
  auto *zone = new (memory) Zone;
  zone->shm_ = ngx_shared_memory_add(cf, &text, size, &ngx_http_hls_proxy_module);
  if (zone->shm_ == nullptr) return nullptr;
  zone->shm_->init = init;
  zone->shm_->data = zone;
  return zone;
}

std::string_view Zone::name() const {
  return {reinterpret_cast<const char *>(shm_->shm.name.data), shm_->shm.name.len};
}

Zone::Shared &Zone::unlocked() const {
  return *static_cast<Shared *>(reinterpret_cast<ngx_slab_pool_t *>(shm_->shm.addr)->data);
}

Counters &Zone::counters() { return unlocked().counters; }
size_t Zone::streams() { return unlocked().streams; }
ngx_atomic_uint_t Zone::changes() const { return unlocked().changes; }

// ---- resolving -----------------------------------------------------------------------------------

// Reads the generation that lies in `buffer`. False: look again; there is room now, or it was damaged and is
// gone.
bool Zone::complete(std::string_view text, std::uint64_t number, bool copied, Buffer &buffer,
                    hls::Generation &generation) {
  if (!copied) {
    buffer.grow();
    return false;
  }
  if (hls::Generation::deserialise(buffer.bytes(), generation)) {
    generation.number = number;
    return true;
  }
  Locked zone(*this);
  Stream *stream = zone.find(text);
  Generation *damaged = stream ? stream->find(number) : nullptr;
  if (damaged) zone.remove(*stream, *damaged);
  return false;
}

Zone::Claim Zone::without_place(const Need &need) {
  return need.may_lead ? Claim::lead : need.renew ? Claim::failed : Claim::wait;
}

Zone::Claimed Zone::claim(std::string_view text, const Need &need) {
  Buffer buffer;
  for (;;) {
    Claimed claimed;
    bool copied = false;
    {
      Locked zone(*this);
      Stream *stream = zone.find(text);
      Generation *newest = stream ? stream->generations.front() : nullptr;
      if (newest) claimed.current = newest->number;
      claimed.claim = stream ? stream->decide(need) : without_place(need);
      if (claimed.claim == Claim::ready) copied = buffer.put(newest->bytes(), newest->size);
      if (claimed.claim == Claim::failed && !need.renew) claimed.failure = stream->failure;
      if (claimed.claim == Claim::lead && (stream || (stream = zone.find_or_add(text)))) {
        stream->resolver = ngx_pid;
        stream->resolver_until = ngx_current_msec + need.deadline;
      }
    }
    if (claimed.claim != Claim::ready) return claimed;
    if (complete(text, claimed.current, copied, buffer, claimed.generation)) return claimed;
  }
}

hls::Generation Zone::publish(std::string_view text, const hls::ResolverAnswer &answer, bool forced,
                              ngx_msec_t cooldown) {
  hls::Generation generation;
  generation.resolved = static_cast<std::uint64_t>(ngx_time());
  generation.answer = answer;
  const std::string bytes = generation.serialise();   // without its number, which lies beside it
  const hls::UrlMark entry = hls::mark_of(answer.url);

  Locked zone(*this);
  generation.number = ++zone.shared().number;
  Stream *stream = zone.find_or_add(text);
  if (stream) {
    using Cooldown = Stream::Cooldown;
    if (forced) stream->cool(Cooldown::forced, cooldown, 0);
    else if (stream->cooldown == Cooldown::failed) stream->cool(Cooldown::none, 0, 0);
    zone.add(*stream, generation, entry, bytes);
  }
  zone.release(stream);
  return generation;
}

void Zone::fail(std::string_view text, ngx_uint_t status, ngx_msec_t cooldown) {
  Locked zone(*this);
  Stream *stream = zone.find_or_add(text);
  // Somebody else's turn since: that one's result counts.
  bool late = stream && stream->resolver != ngx_pid && stream->is_taken();
  if (stream && !late) stream->cool(Stream::Cooldown::failed, cooldown, status);
  // What has never been resolved, anybody can make up: it must not push out what plays.
  if (stream && stream->count == 0) zone.shared().used.to_back(*stream);
  zone.release(stream);
}

void Zone::abandon(std::string_view text) {
  Locked zone(*this);
  zone.release(zone.find(text));
}

void Zone::abandon_all() {
  Locked zone(*this);
  for (Stream &stream : zone.shared().used) {
    if (stream.resolver == ngx_pid) zone.release(&stream);
  }
}

// ---- what is known of a stream -------------------------------------------------------------------

std::optional<hls::Generation> Zone::newest(std::string_view text, bool &any_dead) {
  Buffer buffer;
  hls::Generation generation;
  for (;;) {
    std::uint64_t number = 0;
    bool copied = false;
    any_dead = false;
    {
      Locked zone(*this);
      Stream *stream = zone.find(text);
      Generation *newest = stream ? stream->generations.front() : nullptr;
      if (newest == nullptr) return std::nullopt;
      number = newest->number;
      for (Generation &old : stream->generations) any_dead |= old.dead && &old != newest;
      copied = buffer.put(newest->bytes(), newest->size);
    }
    if (complete(text, number, copied, buffer, generation)) return generation;
  }
}

std::vector<Zone::Remembered> Zone::remembered(std::string_view text) {
  std::vector<Remembered> all;
  all.reserve(kMaxGenerations);
  {
    Locked zone(*this);
    Stream *stream = zone.find(text);
    if (stream == nullptr) return all;
    for (Generation &generation : stream->generations) {
      Remembered &to = all.emplace_back();
      to.number = generation.number;
      to.dead = generation.dead;
      to.provider.assign(generation.provider(), generation.provider_size);
      to.entry = generation.entry;
      to.playlists.reserve(generation.playlists * kVersions);
      for (Record &record : generation.records) {
        for (Version *version : record.versions) {
          if (version) to.playlists.push_back({version->id, version->asked, record.self});
        }
      }
    }
  }
  for (Remembered &generation : all) {
    std::sort(generation.playlists.begin(), generation.playlists.end(),
              [](const Playlist &a, const Playlist &b) { return a.id > b.id; });
  }
  return all;
}

void Zone::mark_dead(std::string_view text, std::uint64_t number) {
  Locked zone(*this);
  if (Generation *generation = zone.find(text, number)) generation->dead = true;
}

void Zone::touch(std::string_view text, std::uint64_t number) {
  Locked zone(*this);
  Generation *generation = zone.find(text, number);
  if (generation == nullptr) return;
  generation->used = ngx_current_msec;
  generation->touched = true;
}

bool Zone::wants(std::string_view text, std::uint64_t number, const hls::UrlMark &self) {
  Locked zone(*this);
  Generation *generation = zone.find(text, number);
  if (generation == nullptr) return false;
  Record *record = generation->find(self);
  if (record == nullptr) return true;
  if (record->versions[0] && record->versions[0]->ended) return false;
  return !is_after(record->stored + kPlaylistAge, ngx_current_msec);
}

void Zone::remember(std::string_view text, std::uint64_t number, const hls::PlaylistIndex &index) {
  const std::string bytes = index.serialise(false);
  Locked zone(*this);
  Stream *stream = zone.find(text);
  Generation *generation = stream ? stream->find(number) : nullptr;
  Record *record = generation ? zone.record(*stream, *generation, index.self.mark) : nullptr;
  if (record) zone.store(*stream, *record, index, bytes);
}

bool Zone::read_playlist(std::string_view text, std::uint64_t id, hls::PlaylistIndex &index) {
  Buffer buffer;
  for (;;) {
    {
      Locked zone(*this);
      Stream *stream = zone.find(text);
      Version *version = stream ? stream->version(id) : nullptr;
      if (version == nullptr) return false;
      if (buffer.put(version->bytes(), version->size)) break;
    }
    buffer.grow();
  }
  return hls::PlaylistIndex::deserialise(buffer.bytes(), index);
}

}  // namespace hls_proxy
