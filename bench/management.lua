-- One call of the API after the other: METHOD, PATHS (separated by spaces, in turn; a % is a number
-- that grows), BODY (likewise) with TOKEN; with REST_MS so long after the last answer. Counts the answers that are not 2xx.
local threads = {}
function setup(thread)
   thread:set("number", #threads + 1)
   table.insert(threads, thread)
end

answered, failures, asked, failed_with = 0, 0, 0, 0
local method, paths, body = os.getenv("METHOD") or "GET", {}, os.getenv("BODY")
local run = os.getenv("RUN") or "0"
for path in os.getenv("PATHS"):gmatch("%S+") do paths[#paths + 1] = path end
local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. os.getenv("TOKEN") }

function request()
   asked = asked + 1
   local name = string.format("%s-%d-%d", run, number, asked)
   return wrk.format(method, paths[asked % #paths + 1], headers, body and body:gsub("%%", name))
end

local rest = tonumber(os.getenv("REST_MS"))
if rest then
   function delay()
      return rest
   end
end

function response(status)
   if status < 300 then answered = answered + 1 else failures = failures + 1 failed_with = status end
end

function done(summary, latency)
   local sum, failed, status = 0, 0, 0
   for _, thread in ipairs(threads) do
      sum = sum + thread:get("answered")
      failed = failed + thread:get("failures")
      status = math.max(status, thread:get("failed_with"))
   end
   if failed > 0 then io.write("failures with status ", status, "\n") end
   io.write(string.format('RESULT {"per_second":%.1f,"failures":%d,"p50_us":%d,"p99_us":%d}\n',
      sum / summary.duration * 1e6, failed + summary.errors.connect + summary.errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
