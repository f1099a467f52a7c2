-- What a competent nginx user writes in Lua for the same job, to measure the module against: links are
-- checked, playlists are rewritten line by line as they stream by, every URI becomes an HMAC-SHA256
-- signed link. HMAC is libcrypto's through LuaJIT's FFI (ngx.hmac_sha1 is the only one built in).

local ffi = require "ffi"
local base64 = require "ngx.base64"

ffi.cdef [[
  const void *EVP_sha256(void);
  unsigned char *HMAC(const void *md, const void *key, int key_len, const unsigned char *d, size_t n,
                      unsigned char *out, unsigned int *out_len);
]]

local C = ffi.C
local sha256 = C.EVP_sha256()
local digest = ffi.new("unsigned char[32]")
local digest_length = ffi.new("unsigned int[1]")
local encode, decode = base64.encode_base64url, base64.decode_base64url
local find, sub, byte = string.find, string.sub, string.byte
local HASH, SLASH = byte("#"), byte("/")

local M = { secret = "", ttl = 43200 }

local function sign(kind, exp, url)
  local text = kind .. "\n" .. exp .. "\n" .. url
  C.HMAC(sha256, M.secret, #M.secret, text, #text, digest, digest_length)
  return encode(ffi.string(digest, 16))
end

function M.link(kind, exp, url)
  local query = find(url, "?", 1, true)
  local path = query and sub(url, 1, query - 1) or url
  local name = ngx.re.match(path, "[^/]*$", "jo")[0]
  return "/lua/" .. kind .. "/" .. name .. "?u=" .. encode(url) .. "&exp=" .. exp
    .. "&sig=" .. sign(kind, exp, url)
end

local function resolve(base, ref)
  if find(ref, "^https?://") then return ref end
  if byte(ref) == SLASH then return base.origin .. ref end
  return base.directory .. ref
end

-- access_by_lua: opens the link of the request.
function M.access(kind)
  local url = decode(ngx.var.arg_u or "")
  local exp = ngx.var.arg_exp or ""
  if not url or sign(kind, exp, url) ~= ngx.var.arg_sig then return ngx.exit(403) end
  if tonumber(exp) < ngx.time() then return ngx.exit(410) end
  ngx.var.upstream = url
  if kind ~= "playlist" then return end
  ngx.ctx.base = {
    origin = ngx.re.match(url, "^https?://[^/]*", "jo")[0],
    directory = ngx.re.match(url, "^[^?]*/", "jo")[0],
  }
  ngx.ctx.exp = exp
  ngx.ctx.pending = ""
end

function M.header_filter()
  ngx.header.content_length = nil
end

local function rewrite_tag(line, ctx)
  local from = find(line, 'URI="', 1, true)
  if not from then return line end
  local before = byte(line, from - 1)
  if before ~= 58 and before ~= 44 then return line end       -- ':' or ','
  local to = find(line, '"', from + 5, true)
  if not to then return line end
  local kind = (find(line, "#EXT-X-MEDIA:", 1, true) == 1 or find(line, "#EXT-X-I-FRAME", 1, true) == 1)
    and "playlist" or "media"
  return sub(line, 1, from + 4) .. M.link(kind, ctx.exp, resolve(ctx.base, sub(line, from + 5, to - 1)))
    .. sub(line, to)
end

-- body_filter_by_lua: whole lines of what is there, the rest waits for the next buffer.
function M.body_filter()
  local ctx = ngx.ctx
  if not ctx.base then return end
  local text = ctx.pending .. ngx.arg[1]
  local eof = ngx.arg[2]
  local out, n, pos = {}, 0, 1
  while true do
    local eol = find(text, "\n", pos, true)
    if not eol then
      if not eof or pos > #text then break end
      eol = #text + 1
    end
    local line = sub(text, pos, eol - 1)
    if byte(line) == HASH then
      if find(line, "#EXT-X-STREAM-INF", 1, true) == 1 then ctx.playlists = true end
      line = rewrite_tag(line, ctx)
    elseif line ~= "" then
      line = M.link(ctx.playlists and "playlist" or "media", ctx.exp, resolve(ctx.base, line))
    end
    n = n + 1
    out[n] = line
    n = n + 1
    out[n] = eol <= #text and "\n" or ""
    pos = eol + 1
  end
  ctx.pending = sub(text, pos)
  ngx.arg[1] = table.concat(out)
end

return M
