#!/usr/bin/env bash
# Listing, showing and verifying what is in a store.
. "$(dirname "$0")/../harness/lib.sh"

# toys: a directory for --dev with toy.backup, which saves a directory.
toys() {
        mkdir -p dev/recipes/toy data
        ln -sfn "$ROOT/lua" dev/lua
        ln -sfn "$ROOT/recipes/common" dev/recipes/common
        MK=("$MOONKEEP" --dev dev)
        echo precious >data/value
        cat >dev/recipes/toy/backup.lua <<'EOF'
local backup = require "backup"

return recipe {
  summary = "Back a directory up",
  params = {
    target = { "target", default = "local:", help = "where" },
    store = { "store", default = "./backups", env = "MOONKEEP_STORE", help = "where to" },
    dir = { "path", required = true, help = "what" },
    instance = { "string", default = "main", help = "which" },
  },
  steps = { { "copy", "Copy it" }, { "publish", "Publish it" } },
  example = "moonkeep run toy.backup --dir /tmp/data",
  run = function(ctx, p)
    local b = backup.new(ctx, p.store, "toy", p.instance)
    ctx:cleanup("give the lock back", function() b:release() end)
    local artifacts = ctx:step("copy", function()
      b:begin(b:acquire())
      return { b:put_tar("data.tar.zst", p.target:tar_out(p.dir)), b:put_text("note.txt", "hello\n") }
    end)
    return ctx:step("publish", function()
      local book = b:manifest { artifacts = artifacts, recipe = "toy.backup", target = "local:" }
      return b:publish(book, b:read_back(book))
    end)
  end,
}
EOF
}

# back_up [OPTION...]: NAME is the backup's.
back_up() {
        check_status 0 "${MK[@]}" run toy.backup --dir "$PWD/data" --json "$@"
        NAME=$(grep -o 'toy/[^"]*Z[^"]*' "$SCRATCH/stdout" | head -n 1)
        check test -n "$NAME"
}

lists() {
        toys
        check_status 1 "${MK[@]}" backups
        check_says "backups"
        back_up
        first=$NAME
        back_up --instance other
        check_status 0 "${MK[@]}" backups
        check_equal "$(wc -l <"$SCRATCH/stdout")" 3
        check_says "$first"
        check_says "verified (digest)"
        check_status 0 "${MK[@]}" backups toy/other
        check_lacks "$SCRATCH/stdout" "toy/main"
        check_status 0 env MOONKEEP_STORE="$PWD/backups" "${MK[@]}" backups toy
        check_says "$first"
        check_status 0 "${MK[@]}" backups toy/none
        check_says "There are no backups of toy/none"
        check_status 0 "${MK[@]}" backups --json
        check_contains "$SCRATCH/stdout" "\"name\": \"$first\""
        check_status 2 "${MK[@]}" backups ../etc
        check_says "is no backup's name"
        # Without a manifest there is no backup.
        rm "backups/$first/manifest.json"
        check_status 0 "${MK[@]}" backups
        check_lacks "$SCRATCH/stdout" "$first"
}

shows() {
        toys
        back_up
        check_status 0 "${MK[@]}" show "$NAME"
        for text in "Backup  $NAME" "data.tar.zst" "note.txt" "verified (digest)" "sha256"; do
                check_contains "$SCRATCH/stdout" "$text"
        done
        check_status 0 "${MK[@]}" show toy/main/latest --json
        check_contains "$SCRATCH/stdout" "\"name\": \"$NAME\""
        check_contains "$SCRATCH/stdout" '"manifest"'
        check_status 0 "${MK[@]}" show toy/main/latest-verified --json
        check_status 1 "${MK[@]}" show "${NAME%?Z}0Z0"
        check_status 1 "${MK[@]}" show toy/mian/latest
        check_says "there is no backup \"toy/mian/latest\""
        check_status 2 "${MK[@]}" show
        check_says "show needs SYSTEM/INSTANCE/TIME"
        check_status 2 "${MK[@]}" show toy
}

verifies() {
        toys
        back_up
        check_status 0 "${MK[@]}" verify "$NAME"
        check_says "Read it back"
        check_status 0 "${MK[@]}" verify toy/main/latest --level present --json
        check_contains "$SCRATCH/stdout" '"recipe": "common.verify"'
        check_status 2 "${MK[@]}" verify "$NAME" --level digset
        check_says "did you mean"
        # A bit that flipped is found, and from then on the backup is known to be bad.
        printf 'X' | dd of="backups/$NAME/data.tar.zst" bs=1 seek=20 conv=notrunc status=none
        check_status 5 "${MK[@]}" verify "$NAME"
        check_says "data.tar.zst"
        check_status 0 "${MK[@]}" backups
        check_says "BAD: "
        check_status 1 "${MK[@]}" show toy/main/latest
        check_status 5 "${MK[@]}" verify "$NAME" --json
        check_contains "$SCRATCH/stdout" '"code": "corrupt"'
        check_contains "$SCRATCH/stdout" '"exit": 5'
}

bad_stores() {
        toys
        check_status 1 "${MK[@]}" backups --store "$PWD/none"
        check_says "$PWD/none"
        echo x >file
        check_status 1 "${MK[@]}" backups --store ./file
        check_says "file"
        run "${MK[@]}" backups --store s3://bucket/prefix
        check test "$STATUS" -ne 0
        check_status 2 "${MK[@]}" backups --store
        check_says "--store needs a value"
}

scenario "backups are listed, those without a manifest are not" lists
scenario "a backup is shown, also as latest" shows
scenario "a backup is verified, and a flipped bit is found" verifies
scenario "stores that are none" bad_stores
