-- The objects that scripts see. It is given what it may ask of the shell, and returns how to run a
-- script and how to call handlers.
local host = ...
local plugins = {}
local depth = 0

-- Names of Lua 5.1 that scripts still use.
unpack = table.unpack
loadstring = load
table.getn = function (t) return #t end
table.maxn = function (t)
    local max = 0
    for k in pairs (t) do
        if type (k) == "number" and k > max then max = k end
    end
    return max
end
math.pow = function (x, y) return x ^ y end
string.gfind = string.gmatch

-- Text only: compiled code is not checked by Lua.
local load_any = load
function load (chunk, name, _, ...) return load_any (chunk, name, "t", ...) end
loadstring = load
dofile, loadfile = nil, nil

-- A process that is to end is to say so.
os.exit = function () error ("os.exit: use shell.die", 2) end
io.stdout:setvbuf ("line")

-- An error at the line that has called the function which calls this one.
local function fail (text) error (text, 3) end

local function is_pattern (name) return name:find ("[*?%[]") ~= nil end

-- Errors of a script in words.
local function words (err)
    return host.words (type (err) == "string" and err or tostring (err))
end

-- Runs a file, or text that goes by this name. What is wrong with it is the second result.
local function run (name, text)
    local why
    if not text then
        host.say (7, "trying to load " .. name)
        text, why = host.read (name)
        if not text then return nil, "source " .. name .. ": " .. why end
    end
    local chunk
    chunk, why = load_any (text, "@" .. name, "t")
    if not chunk then return nil, name .. ": " .. why end
    if depth >= host.sources_max then return nil, name .. ": too many files source each other" end
    depth = depth + 1
    local ok, err = pcall (chunk)
    depth = depth - 1
    if not ok then return nil, words (err) end
    return true
end

-- The same for all files of a list; the name of the first that fails.
local function run_all (files)
    for _, file in ipairs (files) do
        local ok, why = run (file)
        if not ok then
            host.say (3, why)
            return file
        end
    end
end

function source (glob)
    if type (glob) ~= "string" then fail ("source: invalid argument") end
    local files = host.glob (glob)
    if #files == 0 and not is_pattern (glob) then
        host.say (3, "source " .. glob .. ": No such file or directory")
        fail ("source " .. glob .. " failed")
    end
    local failed = run_all (files)
    if failed then fail ("source " .. failed .. " failed") end
end

function source_if_exists (glob)
    if type (glob) ~= "string" then fail ("source_if_exists: invalid argument") end
    local failed = run_all (host.glob (glob))
    if failed then fail ("source " .. failed .. " failed") end
end

-- shell

local methods = {
    log = host.log,
    debug = host.debug,
    log_error = host.log_error,
}
local read_only = {
    info = true, rankinfo = true, get_rankinfo = true, getenv = true, setenv = true,
    unsetenv = true, options = true, rcpath = true,
}

function methods.die (message)
    host.die (message)
    error ("shell.die", 2)
end

function methods.get_rankinfo (rank) return host.rankinfo (tonumber (rank)) end

-- Functions on the environment, of the job or of a task.
local function environment (object, get, set)
    local function getenv (name)
        if name ~= nil and type (name) ~= "string" then fail (object .. ".getenv: invalid argument") end
        return get (name)
    end
    local function setenv (name, value, overwrite)
        if type (name) ~= "string" or value == nil then fail (object .. ".setenv: invalid argument") end
        if (overwrite == false or overwrite == 0) and get (name) ~= nil then return true end
        local ok, why = set (name, tostring (value))
        if not ok then fail (object .. ".setenv: " .. why) end
        return true
    end
    local function unsetenv (name)
        if type (name) ~= "string" then fail (object .. ".unsetenv: invalid argument") end
        local ok, why = set (name, nil)
        if not ok then fail (object .. ".unsetenv: " .. why) end
        return true
    end
    return getenv, setenv, unsetenv
end

methods.getenv, methods.setenv, methods.unsetenv =
    environment ("shell", host.getenv, host.setenv)

function methods.prepend_path (var, path)
    if type (var) ~= "string" or type (path) ~= "string" then
        fail ("shell.prepend_path: invalid argument")
    end
    local now = host.getenv (var)
    if now == nil or now == "" then
        host.setenv (var, path)
    elseif not (":" .. now .. ":"):find (":" .. path .. ":", 1, true) then
        host.setenv (var, path .. ":" .. now)
    end
end

function methods.env_strip (...)
    for _, pattern in ipairs { ... } do
        for name in pairs (host.getenv ()) do
            if name:match (pattern) then host.setenv (name, nil) end
        end
    end
end

function methods.getopt_with_version (name)
    local value = host.option (name)
    if type (value) ~= "string" then return nil end
    local base, version = value:match ("^(.-)@(.*)$")
    if base then return base, version end
    return value
end

-- Sources what matches in each folder in turn.
local function source_rcpath (pattern)
    local found = false
    for _, folder in ipairs (host.rcpath ()) do
        local files = host.glob (folder .. "/" .. pattern)
        found = found or #files > 0
        local failed = run_all (files)
        if failed then return failed end
    end
    local own = host.shipped (pattern)
    if found or not own then return end
    local ok, why = run ("built-in " .. pattern, own)
    if ok then return end
    host.say (3, why)
    return pattern
end

function methods.source_rcpath (pattern)
    if type (pattern) ~= "string" then fail ("shell.source_rcpath: invalid argument") end
    local failed = source_rcpath (pattern)
    if failed then fail ("source " .. failed .. " failed") end
end

function methods.source_rcpath_option (option)
    if type (option) ~= "string" then fail ("shell.source_rcpath_option: invalid argument") end
    local name, version = methods.getopt_with_version (option)
    if name == nil or name == "none" then return end
    local failed = source_rcpath (option .. "/" .. name .. ".lua")
    if not failed and version then
        failed = source_rcpath (option .. "/" .. name .. "@" .. version .. ".lua")
    end
    if failed then fail ("source " .. failed .. " failed") end
end

methods.options = setmetatable ({}, {
    __index = function (_, name) return host.option (tostring (name)) end,
    __newindex = function (_, name, value)
        local ok, why = host.set_option (tostring (name), value)
        if not ok then fail (why) end
    end,
    __pairs = function () return next, host.options (), nil end,
})

shell = setmetatable ({}, {
    __index = function (_, name)
        if name == "info" then return host.info () end
        if name == "rankinfo" then return host.rankinfo () end
        if name == "verbose" then return host.verbose () end
        if name == "rcpath" then return host.folder () end
        return methods[name]
    end,
    __newindex = function (object, name, value)
        if read_only[name] then fail ("attempt to set read-only field shell." .. name) end
        if name ~= "verbose" then return rawset (object, name, value) end
        local ok, why = host.set_verbose (value)
        if not ok then fail (why) end
    end,
})
package.preload["flux.shell"] = function () return shell end

-- task

local of_task = {}
of_task.getenv, of_task.setenv, of_task.unsetenv =
    environment ("task", host.task_getenv, host.task_setenv)

task = setmetatable ({}, {
    __index = function (_, name)
        local info = host.task ()
        if info == nil then fail ("attempt to access task outside of task context") end
        if name == "info" then return info end
        return of_task[name]
    end,
    __newindex = function (_, name)
        fail ("attempt to set read-only field task." .. tostring (name))
    end,
})

-- plugin

local of_plugin = {}

-- Files in the folders that are searched, or by themselves.
local function find_plugins (name)
    if name:match ("^[/~]") or name:match ("^%./") then return host.glob (name) end
    local found = {}
    for folder in host.searchpath ():gmatch ("[^:]+") do
        for _, file in ipairs (host.glob (folder .. "/" .. name)) do found[#found + 1] = file end
    end
    return found
end

function of_plugin.load (spec)
    local name = type (spec) == "table" and spec.file or spec
    if type (name) ~= "string" then fail ("plugin.load: invalid argument") end
    local found = find_plugins (name)
    if #found > 0 then
        fail ("plugin.load: " .. found[1] .. ": C plug-ins are not supported in this version")
    end
    if not is_pattern (name) then fail ("plugin.load: " .. name .. ": File not found") end
end

-- The name of the file that has called, without folder and ending.
local function name_of_caller ()
    local _, where = pcall (error, "", 4)
    local path = type (where) == "string" and where:match ("^(.*):%d+: $") or ""
    return path:match ("([^/]*)$")
end

function of_plugin.register (spec)
    if type (spec) ~= "table" then fail ("plugin.create requires table argument") end
    if type (spec.handlers) ~= "table" then fail ("required handlers table missing") end
    if #spec.handlers == 0 then
        fail ("plugin.register: handlers table exists but has no entries. (not an array?)")
    end
    local globs, handlers = {}, {}
    for i, handler in ipairs (spec.handlers) do
        local topic, fn = nil, nil
        if type (handler) == "table" then topic, fn = handler.topic, handler.fn end
        if type (topic) ~= "string" then fail ("Missing or invalid 'topic' in handler entry") end
        if type (fn) ~= "function" then fail ("Missing or invalid 'fn' in handler entry") end
        globs[i], handlers[i] = topic, { topic = topic, fn = fn }
    end
    local name = spec.name
    if name == nil then name = name_of_caller () end
    if type (name) ~= "string" then fail ("plugin.register: invalid argument") end
    local ok, why = host.adopt (name, globs)
    if not ok then fail (why) end
    for i, known in ipairs (plugins) do
        if known.name == name then
            table.remove (plugins, i)
            break
        end
    end
    plugins[#plugins + 1] = { name = name, handlers = handlers }
end

plugin = setmetatable ({}, {
    __index = function (_, name)
        if name == "searchpath" then return host.searchpath () end
        if of_plugin[name] then return of_plugin[name] end
        fail ("invalid plugin method " .. tostring (name) .. " called")
    end,
    __newindex = function (_, name, value)
        if name ~= "searchpath" then
            fail ("attempt to set read-only field plugin." .. tostring (name))
        end
        if type (value) ~= "string" then fail ("invalid assignment to plugin.searchpath") end
        host.searchpath (value)
    end,
})

-- coprocess

coprocess = {}

function coprocess.define (spec)
    if type (spec) ~= "table" or type (spec.name) ~= "string" then
        fail ("coprocess.define: invalid argument")
    end
    local wanted = host.option (spec.name)
    if wanted == nil then return end
    local defined = { command = spec.command, output = spec.output, ranks = spec.ranks }
    if type (wanted) == "table" then
        for key, value in pairs (wanted) do defined[key] = value end
    end
    local all = host.option ("coprocess")
    if type (all) ~= "table" then all = {} end
    all[spec.name] = defined
    local ok, why = host.set_option ("coprocess", all)
    if not ok then fail (why) end
end

-- The handler of a plug-in for a topic: the first that matches.
local function handler_of (plugin, topic)
    for _, handler in ipairs (plugin.handlers) do
        if host.matches (handler.topic, topic) then return handler.fn end
    end
end

-- Calls all plug-ins; gives the names of those that failed, and what one that did not returned.
local function call (topic, args)
    local failed, result = {}, nil
    local now = { unpack (plugins) }
    for _, plugin in ipairs (now) do
        local fn = handler_of (plugin, topic)
        if fn then
            host.begin (plugin.name)
            local got = table.pack (pcall (fn, topic, args))
            local is_failed = not got[1] or (got.n > 1 and not got[2])
            if not got[1] then
                host.say (3, "lua plugin " .. plugin.name .. ": " .. words (got[2]))
            end
            if is_failed then failed[#failed + 1] = plugin.name
            elseif type (got[2]) ~= "boolean" then result = got[2] end
        end
    end
    return failed, result
end

return run, call
