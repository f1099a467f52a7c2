#include "rewritten_response.h"

namespace hls_proxy {

namespace {

constexpr size_t kMaxJson = 1024 * 1024;
constexpr size_t kDecoderWindow = 8192;
// How much of the last window is kept for one more line: a link with its URL is rarely longer.
constexpr size_t kLowWater = 2048;

ngx_buf_tag_t tag() { return reinterpret_cast<ngx_buf_tag_t>(&ngx_http_hls_proxy_module); }

}  // namespace

// ---- Windows -------------------------------------------------------------------------------------

void Windows::close_window() {
  if (window_ == nullptr) return;
  window_->last = reinterpret_cast<u_char *>(pos_);
  if (window_->last > window_->pos) {
    ngx_chain_t *link = ngx_alloc_chain_link(pool_);
    if (link == nullptr) throw std::bad_alloc();
    link->buf = window_;
    link->next = nullptr;
    *last_out_ = link;
    last_out_ = &link->next;
    window_ = nullptr;
  }
}

void Windows::next_window(size_t) {
  close_window();
  if (window_ == nullptr && free_) {
    ngx_chain_t *link = free_;
    free_ = link->next;
    window_ = link->buf;
    ngx_free_chain(pool_, link);
  } else if (window_ == nullptr) {
    window_ = ngx_create_temp_buf(pool_, kSize);
    if (window_ == nullptr) throw std::bad_alloc();
    ++count_;
  }
  window_->tag = tag();
  window_->recycled = 1;
  window_->flush = 0;
  window_->last_buf = 0;
  window_->last_in_chain = 0;
  window_->pos = window_->last = window_->start;
  pos_ = begin_ = reinterpret_cast<char *>(window_->start);
  end_ = reinterpret_cast<char *>(window_->end);
  if (count_ > kCount) low_water_ = SIZE_MAX;   // one line more than fitted: stop behind it
  else low_water_ = free_ == nullptr && count_ == kCount ? kLowWater : 0;
}

bool Windows::take(ngx_chain_t **out, bool last, bool main) {
  close_window();
  if (last) {
    auto *b = static_cast<ngx_buf_t *>(ngx_calloc_buf(pool_));
    ngx_chain_t *link = b ? ngx_alloc_chain_link(pool_) : nullptr;
    if (link == nullptr) return false;
    b->last_buf = main;
    b->last_in_chain = 1;
    b->sync = 1;
    link->buf = b;
    link->next = nullptr;
    *last_out_ = link;
  }
  *out = out_;
  out_ = nullptr;
  last_out_ = &out_;
  pos_ = begin_ = end_ = nullptr;
  if (window_) {   // nothing was written to it
    ngx_chain_t *link = ngx_alloc_chain_link(pool_);
    if (link == nullptr) return false;
    link->buf = window_;
    link->next = free_;
    free_ = link;
    window_ = nullptr;
  }
  return true;
}

void Windows::sent(ngx_chain_t **out) {
  ngx_chain_update_chains(pool_, &free_, &busy_, out, tag());
  bool spare = free_ != nullptr || count_ < kCount;
  low_water_ = spare ? 0 : SIZE_MAX;
}

// ---- RewrittenResponse ---------------------------------------------------------------------------

RewrittenResponse::RewrittenResponse(ngx_http_request_t *r, const RequestContext &ctx, Document document,
                                     hls::ContentCoding coding, hls::LinkScope &&scope)
    : r_(r),
      document_(document),
      base_(ctx.target),
      scope_(std::move(scope)),
      links_(scope_),
      rewriter_(links_, base_, ctx.link.variables),
      decoder_(hls::ContentDecoder::create(coding)),
      max_size_(document == Document::json ? kMaxJson : location_conf(r).max_playlist),
      windows_(r->pool) {
  if (decoder_) decoded_.resize(kDecoderWindow);
  if (document == Document::playlist) recorder_ = PlaylistRecorder::create(r, ctx);
}

const char *RewrittenResponse::rewrite(std::string_view &bytes) {
  if (document_ == Document::json) {
    json_.append(bytes);
    bytes = {};
    return nullptr;
  }
  std::string_view before = bytes;
  hls::RewriteError error = rewriter_.feed(bytes, windows_);
  if (recorder_) recorder_->feed(before.substr(0, before.size() - bytes.size()));
  return error == hls::RewriteError::none ? nullptr : hls::describe(error);
}

// Consumes from the front of one input buffer until it is empty or the windows are full.
const char *RewrittenResponse::consume(std::string_view &bytes) {
  static const char *const kTooLarge = "it is larger than hls_proxy_max_playlist";
  if (!decoder_) {
    size_t before = bytes.size();
    const char *error = rewrite(bytes);
    size_ += before - bytes.size();
    return error ? error : size_ > max_size_ ? kTooLarge : nullptr;
  }
  for (;;) {
    if (!pending_.empty()) {
      if (const char *error = rewrite(pending_)) return error;
      if (!pending_.empty()) return nullptr;
    }
    if (windows_.full()) break;
    size_t written = 0;
    auto status = decoder_->decode(bytes, decoded_.data(), decoded_.size(), written);
    if (status == hls::ContentDecoder::Status::error) return "its content coding is broken";
    pending_ = {decoded_.data(), written};
    size_ += written;
    if (size_ > max_size_) return kTooLarge;
    // A gzip stream may go on with a further member after each that is done.
    decoded_all_ = status == hls::ContentDecoder::Status::done;
    decoder_has_more_ = status == hls::ContentDecoder::Status::output;
    if (written == 0 && bytes.empty() && !decoder_has_more_) break;
  }
  return nullptr;
}

const char *RewrittenResponse::consume() {
  while (in_ && !windows_.full()) {
    ngx_buf_t *b = in_->buf;
    if (ngx_buf_in_memory(b) && (b->pos < b->last || is_behind())) {
      std::string_view bytes(reinterpret_cast<char *>(b->pos), static_cast<size_t>(b->last - b->pos));
      const char *error = consume(bytes);
      b->pos = b->last - bytes.size();
      if (error) return error;
      if (!bytes.empty() || is_behind()) continue;   // the windows are full
    }
    if (b->last_buf || b->last_in_chain) input_done_ = true;
    // From nginx itself, and only where it gives up on the upstream.
    else if (b->flush && ngx_buf_special(b)) broken_off_ = true;
    ngx_chain_t *done = in_;
    in_ = in_->next;
    ngx_free_chain(r_->pool, done);
  }
  return input_done_ && !in_ && !done_ ? finish() : nullptr;
}

const char *RewrittenResponse::finish() {
  if (decoder_ && !decoded_all_) return "its content coding ends too early";
  done_ = true;
  if (document_ == Document::playlist) {
    hls::RewriteError error = rewriter_.finish(windows_);
    if (recorder_ && error == hls::RewriteError::none) recorder_->finish();
    return error == hls::RewriteError::none ? nullptr : hls::describe(error);
  }
  std::string out;
  hls::JsonResult result = hls::rewrite_json(json_, base_, links_, out);
  if (result == hls::JsonResult::invalid) return "it is no valid JSON";
  windows_.append(result == hls::JsonResult::rewritten ? out : json_);
  return nullptr;
}

ngx_int_t RewrittenResponse::filter(ngx_chain_t *in) {
  if (in && ngx_chain_add_copy(r_->pool, &in_, in) != NGX_OK) return NGX_ERROR;
  if (stage_ == Stage::finished) {
    discard();
    return next_body(r_, nullptr);
  }
  if (windows_.busy()) {   // what the client has taken meanwhile frees windows
    ngx_chain_t *none = nullptr;
    if (next_body(r_, nullptr) == NGX_ERROR) return NGX_ERROR;
    windows_.sent(&none);
  }

  for (;;) {
    if (const char *error = consume()) return fail(error);
    if (broken_off_) return fail("the origin closed the connection in the middle of it");

    bool finished = done_;
    if (!finished && !windows_.full()) break;            // more input first
    if (windows_.busy() && windows_.empty() && !finished) break;
    if (stage_ == Stage::reading) {
      stage_ = Stage::sending;
      ngx_int_t rc = next_header(r_);
      if (rc == NGX_ERROR || rc > NGX_OK) return rc;
    }
    ngx_chain_t *out;
    if (!windows_.take(&out, finished, r_ == r_->main)) return NGX_ERROR;
    ngx_int_t rc = next_body(r_, out);
    windows_.sent(&out);
    if (rc == NGX_ERROR) return rc;
    if (finished) {
      stage_ = Stage::finished;
      r_->connection->buffered &= ~NGX_HTTP_SUB_BUFFERED;
      return rc;
    }
    if (windows_.full()) break;                          // the client is slower than the origin
  }

  // While input is held here, nginx must come back when the client has taken something.
  if (in_) r_->connection->buffered |= NGX_HTTP_SUB_BUFFERED;
  else r_->connection->buffered &= ~NGX_HTTP_SUB_BUFFERED;
  return in_ || windows_.busy() ? NGX_AGAIN : NGX_OK;
}

void RewrittenResponse::discard() {
  while (in_) {
    in_->buf->pos = in_->buf->last;
    if (in_->buf->in_file) in_->buf->file_pos = in_->buf->file_last;
    ngx_chain_t *done = in_;
    in_ = in_->next;
    ngx_free_chain(r_->pool, done);
  }
}

ngx_int_t RewrittenResponse::fail(const char *reason) {
  discard();
  r_->connection->buffered &= ~NGX_HTTP_SUB_BUFFERED;
  r_->keepalive = 0;
  bool fresh = stage_ == Stage::reading;
  stage_ = Stage::finished;
  std::string text = document_ == Document::json
                         ? std::string("the origin's JSON was refused: ")
                         : "the origin's playlist was refused in line " + std::to_string(rewriter_.line_number()) + ": ";
  text += reason;
  if (fresh) return send_refusal(r_, text);
  ngx_log_error(NGX_LOG_ERR, r_->connection->log, 0, "hls_proxy: %s; the connection is broken off", text.c_str());

  // Too late for a status. A clean end would pass for a whole playlist, so there is none: HTTP/1.1 misses
  // its last chunk, and for HTTP/1.0 the connection is reset.
  r_->connection->error = 1;
#if (NGX_HTTP_V2)
  if (r_->stream) return NGX_ERROR;
#endif
  struct linger linger = {1, 0};
  setsockopt(r_->connection->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
  return NGX_ERROR;
}

}  // namespace hls_proxy
