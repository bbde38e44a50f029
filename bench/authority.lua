-- Reserve and deduct, as fast as the answers come. SIZE calls a request (1: single objects).
-- wrk asks request() for the next body and gives response() each answer; what was reserved waits in
-- a queue to be deducted. Counts pairs whose deduction was answered.
local size = tonumber(os.getenv("SIZE") or "1")
local keys = {}
for id in (os.getenv("SCOPES") or ""):gmatch("[^,]+") do keys[#keys + 1] = id end
local threads = {}
function setup(thread)
   thread:set("number", #threads + 1)
   table.insert(threads, thread)
end

local run = os.getenv("RUN") or "0"
local next_id, waiting = 0, {}
pairs_done, failures = 0, 0
local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. os.getenv("TOKEN") }

local function reserve()
   next_id = next_id + 1
   local key = keys[next_id % #keys + 1]
   return string.format('{"request_id":"b%s-%d-%d","scope":{"kind":"api_key","id":"%s"},"amount":"0.0001"}',
                        run, number, next_id, key)
end

local function deduct(id) return '{"reserve_id":"' .. id .. '","amount":"0.00005"}' end

local function body(make)
   if size == 1 then return make() end
   local calls = {}
   for i = 1, size do calls[i] = make(i) end
   return "[" .. table.concat(calls, ",") .. "]"
end

function request()
   if #waiting > 0 then
      local ids = table.remove(waiting)
      return wrk.format("POST", "/api/v1/budget/deduct", headers, body(function(i) return deduct(ids[i or 1]) end))
   end
   return wrk.format("POST", "/api/v1/budget/reserve", headers, body(reserve))
end

function response(status, _, text)
   if status ~= 200 then failures = failures + 1; return end
   if text:find('"committed"', 1, true) then
      if size == 1 then pairs_done = pairs_done + 1; return end
      local _, count = text:gsub('"committed"', "")
      pairs_done = pairs_done + count
      return
   end
   local ids = {}
   for id in text:gmatch('"reserve_id":"([^"]+)"') do ids[#ids + 1] = id end
   if #ids == size then waiting[#waiting + 1] = ids else failures = failures + 1 end
end

function done(summary, latency)
   local sum, failed = 0, 0
   for _, thread in ipairs(threads) do
      sum = sum + thread:get("pairs_done")
      failed = failed + thread:get("failures")
   end
   io.write(string.format('RESULT {"per_second":%.1f,"failures":%d,"p50_us":%d,"p99_us":%d}\n',
      sum / summary.duration * 1e6, failed, latency:percentile(50), latency:percentile(99)))
end
