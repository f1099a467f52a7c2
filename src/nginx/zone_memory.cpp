#include "zone_memory.h"

#include <new>

namespace hls_proxy {

namespace {

constexpr size_t kMaxPlaylists = 32;    // of a generation
constexpr size_t kLargest = 2;          // one piece is at most the zone's size by this
constexpr size_t kMaxSpared = 64;       // streams that are passed over when room is needed
constexpr size_t kShare = 8;            // what is remembered of one stream's playlists is at most its size by this

Window window_of(const hls::PlaylistIndex &index) {
  if (index.units.empty()) return {};
  return {true, index.units.front().sequence, index.units.back().sequence};
}

/// Whether the newest version is to be kept as `earlier` when `next` takes its place (see remember()).
bool is_worth_keeping(const Window &newest, const Window *earlier, const Window &next) {
  if (!newest.media || !next.media) return true;    // no windows: the last different ones
  if (next.last < newest.last) return true;         // a slower server's, or numbers that start again
  if (next.first <= newest.first) return false;     // `next` names all of it
  return !earlier || earlier->last < next.first - 1 || earlier->first > next.last;
}

}  // namespace

Zone::Shared *Zone::Shared::make(ngx_slab_pool_t *pool, ngx_str_t name) {
  void *memory = ngx_slab_calloc_locked(pool, sizeof(Shared));
  size_t size = sizeof(" in hls_proxy_zone \"\"") + name.len;
  auto *context = static_cast<u_char *>(ngx_slab_alloc_locked(pool, size));
  if (memory == nullptr || context == nullptr) return nullptr;
  ngx_sprintf(context, " in hls_proxy_zone \"%V\"%Z", &name);
  pool->log_ctx = context;
  pool->log_nomem = 0;

  auto *shared = new (memory) Shared{};
  shared->layout = kLayout;
  // The function is nginx's own: it stays where it is when the module is loaded anew.
  ngx_rbtree_init(&shared->tree, &shared->sentinel, ngx_str_rbtree_insert_value);
  shared->used.clear();
  pool->data = shared;
  return shared;
}

// Whoever held the lock was killed: the slab's lists and ours may be anything.
void Zone::Locked::start_anew() {
  ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                "hls_proxy: a process was killed while it changed zone \"%V\": all that it knew is forgotten",
                &shm_.shm.name);
  const Shared before = shared();
  ngx_slab_init(&pool_);
  Shared *anew = Shared::make(&pool_, shm_.shm.name);   // where it was: the first piece of the same pool
  anew->counters = before.counters;
  anew->changes = before.changes + 1;
  anew->number = before.number;
  anew->id = before.id;
}

void *Zone::Locked::allocate(size_t size, const Stream *keep) {
  if (size > shm_.shm.size / kLargest) return nullptr;
  for (;;) {
    void *memory = ngx_slab_alloc_locked(&pool_, size);
    if (memory || !evict(keep)) return memory;
  }
}

bool Zone::Locked::evict(const Stream *keep) {
  List<Stream> &used = shared().used;
  Stream *victim = used.back();
  for (size_t n = 0; victim && (victim == keep || victim->is_taken()); ++n) {
    victim = n < kMaxSpared ? used.before(*victim) : nullptr;
  }
  if (victim == nullptr) return false;
  remove(*victim);
  count(shared().counters.evictions);
  return true;
}

Zone::Stream *Zone::Locked::find(std::string_view text) {
  ngx_str_t key = {text.size(), reinterpret_cast<u_char *>(const_cast<char *>(text.data()))};
  ngx_str_node_t *node = ngx_str_rbtree_lookup(&shared().tree, &key, ngx_murmur_hash2(key.data, key.len));
  if (node == nullptr) return nullptr;
  auto *stream = ngx_rbtree_data(node, Stream, node);
  if (stream->count) shared().used.to_front(*stream);
  return stream;
}

Zone::Stream *Zone::Locked::find_or_add(std::string_view text) {
  if (Stream *stream = find(text)) return stream;
  void *memory = allocate(sizeof(Stream) + text.size(), nullptr);
  if (memory == nullptr) return nullptr;
  auto *stream = new (memory) Stream{};
  ngx_memcpy(stream->text(), text.data(), text.size());
  stream->generations.clear();
  stream->node.str = {text.size(), reinterpret_cast<u_char *>(stream->text())};
  stream->node.node.key = ngx_murmur_hash2(stream->node.str.data, stream->node.str.len);
  ngx_rbtree_insert(&shared().tree, &stream->node.node);
  shared().used.push_front(*stream);
  ++shared().streams;
  return stream;
}

Zone::Generation *Zone::Locked::find(std::string_view text, std::uint64_t number) {
  Stream *stream = find(text);
  return stream ? stream->find(number) : nullptr;
}

void Zone::Locked::remove(Stream &stream) {
  while (Generation *generation = stream.generations.front()) remove(stream, *generation);
  ngx_rbtree_delete(&shared().tree, &stream.node.node);
  shared().used.remove(stream);
  --shared().streams;
  free(&stream);
}

void Zone::Locked::remove(Stream &stream, Generation &generation) {
  while (Record *record = generation.records.front()) remove(stream, generation, *record);
  stream.generations.remove(generation);
  --stream.count;
  free(&generation);
}

void Zone::Locked::remove(Stream &stream, Version *version) {
  if (version == nullptr) return;
  stream.remembered -= version->size;
  free(version);
}

void Zone::Locked::remove(Stream &stream, Generation &generation, Record &record) {
  for (Version *version : record.versions) remove(stream, version);
  generation.records.remove(record);
  --generation.playlists;
  free(&record);
}

void Zone::Locked::release(Stream *stream) {
  if (stream && stream->resolver == ngx_pid) stream->resolver = 0;
  count(shared().changes);
}

void Zone::Locked::add(Stream &stream, const hls::Generation &generation, const hls::UrlMark &entry,
                       std::string_view bytes) {
  const std::string &provider = generation.answer.provider;
  size_t size = sizeof(Generation) + provider.size() + bytes.size();
  if (size > shm_.shm.size / kLargest) return;
  while (stream.count >= kMaxGenerations) remove(stream, *stream.least_needed());
  void *memory = allocate(size, &stream);
  // An answer is worth more than what was remembered of those before it: without it nothing plays.
  while (memory == nullptr && stream.count != 0) {
    remove(stream, *stream.least_needed());
    memory = allocate(size, &stream);
  }
  if (memory == nullptr) return;

  auto *added = new (memory) Generation{};
  added->number = generation.number;
  added->resolved = generation.resolved;
  added->expires = generation.answer.expires;
  added->entry = entry;
  added->made = added->used = ngx_current_msec;
  added->records.clear();
  added->provider_size = provider.size();
  added->size = bytes.size();
  ngx_memcpy(added->provider(), provider.data(), provider.size());
  ngx_memcpy(added->bytes(), bytes.data(), bytes.size());
  stream.generations.push_front(*added);
  ++stream.count;
}

Zone::Record *Zone::Locked::record(Stream &stream, Generation &generation, const hls::UrlMark &self) {
  if (Record *record = generation.find(self)) {
    generation.records.to_front(*record);
    return record;
  }
  while (generation.playlists >= kMaxPlaylists) remove(stream, generation, *generation.records.back());
  void *memory = allocate(sizeof(Record), &stream);
  if (memory == nullptr) return nullptr;
  auto *record = new (memory) Record{};
  record->self = self;
  generation.records.push_front(*record);
  ++generation.playlists;
  return record;
}

// Before the new version takes its room, so that a live playlist goes on in a full zone.
void Zone::Locked::make_way(Stream &stream, Record &record, const Window &next) {
  auto &[newest, earlier, earliest] = record.versions;
  if (newest == nullptr) return;
  Version *leaves = newest;
  if (is_worth_keeping(newest->window, earlier ? &earlier->window : nullptr, next)) {
    leaves = earliest;
    earliest = earlier;
    earlier = newest;
  }
  newest = nullptr;
  remove(stream, leaves);
}

// One stream's playlists, which its origin makes as long as it likes, leave room for those of others: the oldest
// generation's go first.
bool Zone::Locked::keep_to_share(Stream &stream, const Record &record, size_t size) {
  const size_t share = shm_.shm.size / kShare;
  Generation *generation = stream.generations.back();
  while (generation && stream.remembered + size > share) {
    Record *last = generation->records.back();
    if (last == &record) last = generation->records.before(*last);
    if (last) remove(stream, *generation, *last);
    else generation = stream.generations.before(*generation);
  }
  return stream.remembered + size <= share;
}

void Zone::Locked::store(Stream &stream, Record &record, const hls::PlaylistIndex &index,
                         std::string_view bytes) {
  record.stored = ngx_current_msec;
  Version *newest = record.versions[0];
  if (newest && newest->ended) return;
  // The id stays, too: what the workers have worked out of this version is still good.
  if (newest && std::string_view(newest->bytes(), newest->size) == bytes) return;
  size_t size = sizeof(Version) + bytes.size();
  Window window = window_of(index);
  make_way(stream, record, window);
  if (!keep_to_share(stream, record, size)) return;
  void *memory = allocate(size, &stream);
  if (memory == nullptr) return;
  auto *version = new (memory) Version{};
  version->id = ++shared().id;
  version->asked = index.asked.mark;
  version->window = window;
  version->ended = index.ended;
  version->size = bytes.size();
  ngx_memcpy(version->bytes(), bytes.data(), bytes.size());
  record.versions[0] = version;
  stream.remembered += version->size;
}

}  // namespace hls_proxy
