import { describe, expect, it } from "vitest"

interface BuildTool {
  readonly buildEnvironment: (
    own: NodeJS.ProcessEnv,
    build: { readonly name: string; readonly zstd?: { readonly include: string; readonly library: string } }
  ) => NodeJS.ProcessEnv
  readonly errorLines: (log: string) => ReadonlyArray<string>
}
const tool: BuildTool = await import(new URL("../tools/confluent/build.mjs", import.meta.url).href)
/** A build with two jobs in a fresh clone, shortened. */
const failedLog = `npm warn Unknown env config "build-from-source". This will stop working in the next major version of npm.
[info] it worked if it ends with ok
gyp info spawn args [ 'BUILDTYPE=Release', '-C', 'build', '--jobs', 2 ]
make: Entering directory 'kafka-javascript/build'
make: *** No rule to make target '../deps/librdkafka/config.h', needed by '602aa78f.intermediate'.  Stop.
make: *** Waiting for unfinished jobs....
checking for libzstd (by compile)... failed (disable)
checking for strerror_r (by compile)... ok
Generated config.h
make: Leaving directory 'kafka-javascript/build'
gyp ERR! build error
gyp ERR! stack Error: \`make\` failed with exit code: 2
[error] build error
[error] stack Error: Failed to execute 'node node-gyp.js build' (1)
Failed to execute 'node node-gyp.js build' (1)
npm error code 1
npm error command failed
`

describe("the build of the addon", () => {
  it("has one job at the level that fails with two, whatever the environment says", () => {
    const built = tool.buildEnvironment({ JOBS: "8", MAKEFLAGS: "-j8", HOME: "/home/me" }, { name: "a" })
    expect(built).toMatchObject({ JOBS: "1", MAKEFLAGS: "", HOME: "/home/me" })
  })

  it("looks for zstd where it was built, before the places of the environment", () => {
    const zstd = { include: "/z/lib", library: "/z" }
    const built = tool.buildEnvironment({ LDFLAGS: "-L/own" }, { name: "a", zstd })
    expect(built).toMatchObject({ CPPFLAGS: "-I/z/lib", LDFLAGS: "-L/z -L/own" })
    expect(tool.buildEnvironment({}, { name: "a" })).not.toHaveProperty("LDFLAGS")
  })
})

describe("what is shown of a failed build", () => {
  it("is the error, not the lines around it", () => {
    expect(tool.errorLines(failedLog)).toEqual([
      "make: *** No rule to make target '../deps/librdkafka/config.h', needed by '602aa78f.intermediate'.  Stop."
    ])
  })

  it.each([
    "rdkafka.c:12:10: fatal error: openssl/ssl.h: No such file or directory",
    "/usr/bin/ld: cannot find -lzstd: No such file or directory",
    "../src/producer.cc:3:1: error: expected unqualified-id",
    "g++: fatal error: Killed signal terminated program cc1plus"
  ])("is %s", (line) => {
    const log = `gcc -c a.c\nchecking for strerror_r (by compile)... ok\n${line}\nmake: *** [Makefile:3: a.o] Error 1\nnpm error code 1\n`
    expect(tool.errorLines(log)).toEqual([line])
  })

  it("is the end where no line tells of an error", () => {
    const log = Array.from({ length: 50 }, (_, number) => `line ${number}`).join("\n")
    expect(tool.errorLines(log).at(-1)).toBe("line 49")
    expect(tool.errorLines(log)).toHaveLength(20)
  })
})
