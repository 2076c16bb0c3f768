-- SPDX-License-Identifier: MIT
-- A load on Lua's allocator: each part builds something, lets most of it go, and checks what it has. Arguments: seed, rounds.
-- Returns a number that follows from the seed alone, so that states can be compared.
local seed, rounds = ...
local sum = 0

local state = seed
local function random(n) -- 1 to n; the same numbers in every state
	state = (state * 1103515245 + 12345) % 2147483648
	return state // 65536 % n + 1
end

local function note(n)
	sum = (sum * 31 + n) % 1000000007
end

-- Arrays that grow by doubling, and hashes that grow and shrink.
local function tables()
	local list, set = {}, {}
	for i = 1, 3000 do
		list[i] = {id = i, weight = random(100000), name = "n" .. i}
		set["k" .. i % 700] = (set["k" .. i % 700] or 0) + 1
	end
	local n, total = 0, 0
	for _, v in pairs(set) do
		n, total = n + 1, total + v
	end
	assert(n == 700 and total == 3000, "a hash lost keys")
	for i = 1, 699 do
		set["k" .. i] = nil
	end
	assert(next(set) == "k0" and next(set, "k0") == nil, "removed keys are still there")
	return list
end

local function sorts(list)
	table.sort(list, function(a, b)
		if a.weight ~= b.weight then
			return a.weight < b.weight
		end
		return a.id < b.id
	end)
	local seen = {}
	for i = 1, #list do
		local e = list[i]
		assert(i == 1 or list[i - 1].weight <= e.weight, "not sorted")
		assert(e.name == "n" .. e.id and not seen[e.id], "an element changed, or is there twice")
		seen[e.id] = true
	end
	assert(#seen == #list, "elements are missing")
	note(list[#list // 2].id)
end

-- Short strings, which are interned, long ones, and buffers of hundreds of KiB.
local function strings()
	local parts = {}
	for i = 1, 2000 do
		parts[i] = string.rep(string.char(96 + random(26)), random(60))
	end
	local all = table.concat(parts, ",")
	local back, at = {}, 0
	for word in all:gmatch("[^,]+") do
		at = at + 1
		back[at] = word
		assert(word == parts[at], "a string changed")
	end
	assert(at == #parts, "strings are missing")
	note(#all)
	local long = all:rep(8, "\n")
	assert(#long == 8 * #all + 7 and long:sub(-#all) == all, "a long string changed")
	local packed = string.pack(">s4I4", long, #long)
	local text, size = string.unpack(">s4I4", packed)
	assert(text == long and size == #long, "not what was packed")
end

local function closures()
	local adders = {}
	for i = 1, 1500 do
		local n = i
		adders[i] = {add = function(k) n = n + k; return n end, get = function() return n end}
	end
	for i = 1, #adders do
		adders[i].add(random(50))
		local was = adders[i].get()
		assert(adders[i].add(1) == was + 1 and adders[i].get() == was + 1, "an upvalue is not shared")
	end
	note(adders[700].get())
end

-- Stacks of their own, deep ones, and some that are dropped half-way or end by an error.
local function coroutines()
	local function deep(n)
		if n == 0 then
			coroutine.yield("bottom")
			return 0
		end
		return 1 + deep(n - 1)
	end
	local alive = {}
	for i = 1, 200 do
		local depth = i % 10 == 0 and 2000 or random(20)
		local co = coroutine.create(deep)
		local ok, where = coroutine.resume(co, depth)
		assert(ok and where == "bottom", where)
		if i % 3 ~= 0 then
			alive[#alive + 1] = {co = co, depth = depth}
		end
	end
	for _, e in ipairs(alive) do
		local ok, depth = coroutine.resume(e.co)
		assert(ok and depth == e.depth and coroutine.status(e.co) == "dead", depth)
	end
	local ok, message = pcall(coroutine.wrap(function() error({code = seed}) end))
	assert(not ok and message.code == seed, "an error lost its value")
end

-- What is unreachable goes, with its finalizer; what is weak goes; what is held stays.
local function collected()
	local gone, weak, held = 0, setmetatable({}, {__mode = "v"}), {}
	for i = 1, 500 do
		local object = setmetatable({i}, {__gc = function() gone = gone + 1 end})
		weak[i] = object
		if i % 5 == 0 then
			held[#held + 1] = object
		end
	end
	collectgarbage()
	collectgarbage()
	local n = 0
	for i, object in pairs(weak) do
		assert(object[1] == i and i % 5 == 0, "an object changed, or should have gone")
		n = n + 1
	end
	assert(n == #held and gone == 500 - n, "finalizers ran for others")
end

local function compiled()
	local lines = {"local t = {...} local s = 0"}
	for i = 1, 300 do
		lines[#lines + 1] = ("s = s + (t[%d] or %d) * %d"):format(i % 7, i, random(9))
	end
	lines[#lines + 1] = "return s"
	local source = table.concat(lines, "\n")
	local one, two = load(source), load(string.dump(load(source), true), "dumped", "b")
	assert(one(1, 2, 3) == two(1, 2, 3), "a dumped function gives another result")
	note(one(4, 5, 6))
end

for round = 1, rounds do
	-- Both collectors.
	collectgarbage(round % 2 == 0 and "generational" or "incremental")
	sorts(tables())
	strings()
	closures()
	coroutines()
	collected()
	compiled()
end
return sum
