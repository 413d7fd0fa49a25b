-- What luacheck knows of this project: recipes and the library run in a VM of
-- their own, where a global that was not declared is an error at run time, too.
std = "lua54"
codes = true
max_line_length = 120
unused_args = false

-- The prelude puts these into every chunk (lua/prelude.lua).
read_globals = { "recipe" }

files["lua/prelude.lua"] = { globals = { "recipe", "require" } }
