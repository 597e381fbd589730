/** Events as a service in TypeScript has them, and beside each what any other language must make of it, written by hand. */
import { Buffer } from "node:buffer"
import type { JsonObject } from "@bufbuild/protobuf"
import { BeaconSighting } from "@leat/demo/gen/risk/v1/beacon.ts"
import { LogLine } from "@leat/demo/gen/risk/v1/log.ts"
import type { Contract } from "leat"
import { Kinds } from "../../../packages/protoc-gen-leat/test/gen/test/v1/kinds.ts"

export interface Sample<T> {
  /** The bytes that order it, as text. */
  readonly key: string
  readonly event: T
  /** Protobuf's JSON mapping, with the names of the .proto: what has its default value is absent. */
  readonly json: JsonObject
}

export interface Samples<T> {
  readonly contract: Contract<T>
  readonly samples: ReadonlyArray<Sample<T>>
}

const sightings: Samples<BeaconSighting> = {
  contract: BeaconSighting,
  samples: [
    {
      key: "b7",
      event: {
        beaconId: "b7",
        sensorId: "s1",
        rssiDbm: -61,
        seenAtUs: 1_795_416_249_141_000n,
        groundTruth: { xM: 12.5, yM: -0.1, zM: 0 },
        inputRef: "walk.csv:17"
      },
      json: {
        beacon_id: "b7",
        sensor_id: "s1",
        rssi_dbm: -61,
        seen_at_us: "1795416249141000",
        ground_truth: { x_m: 12.5, y_m: -0.1 },
        input_ref: "walk.csv:17"
      }
    },
    {
      key: "🦥 – ключ",
      event: { beaconId: "🦥 – ключ", sensorId: "", rssiDbm: 0, seenAtUs: -1n, inputRef: "" },
      json: { beacon_id: "🦥 – ключ", seen_at_us: "-1" }
    }
  ]
}

const lines: Samples<LogLine> = {
  contract: LogLine,
  samples: [
    {
      key: "web-1",
      event: {
        host: "web-1",
        program: "sshd",
        processId: 0,
        severity: 3,
        message: 'no entry 🚫\tfor \u0000 or "it"',
        atUs: 2n ** 53n + 1n,
        detail: { case: "loginFailure", value: { user: "", sourceAddress: "2001:db8::1" } },
        inputRef: ""
      },
      json: {
        host: "web-1",
        program: "sshd",
        process_id: 0,
        severity: "SEVERITY_WARN",
        message: 'no entry 🚫\tfor \u0000 or "it"',
        at_us: "9007199254740993",
        login_failure: { source_address: "2001:db8::1" }
      }
    },
    {
      key: "web-1",
      event: {
        host: "web-1",
        program: "",
        severity: 0,
        message: "",
        atUs: 0n,
        detail: { case: "service", value: { component: "" } },
        inputRef: "x".repeat(100_000)
      },
      json: { host: "web-1", service: {}, input_ref: "x".repeat(100_000) }
    }
  ]
}

const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
const bytes = new Uint8Array(everyByte)
const noKinds: Kinds = {
  double: 0,
  float: 0,
  int32: 0,
  int64: 0n,
  uint32: 0,
  uint64: 0n,
  sint32: 0,
  sint64: 0n,
  fixed32: 0,
  fixed64: 0n,
  sfixed32: 0,
  sfixed64: 0n,
  bool: false,
  string: "",
  bytes: new Uint8Array(0),
  colour: 0,
  packed: [],
  unpacked: [],
  packedSint64: [],
  packedDouble: [],
  colours: [],
  strings: [],
  blobs: [],
  places: [],
  counts: new Map(),
  placesById: new Map(),
  coloursByFlag: new Map(),
  end: "",
  default: "",
  tag: [],
  packedFloat: [],
  packedBool: []
}

const kinds: Samples<Kinds> = {
  contract: Kinds,
  samples: [
    {
      key: "hall",
      event: {
        ...noKinds,
        double: Number.MIN_VALUE,
        float: 0.5,
        int32: -(2 ** 31),
        int64: -(2n ** 63n),
        uint32: 2 ** 32 - 1,
        uint64: 2n ** 64n - 1n,
        sint32: 2 ** 31 - 1,
        sint64: 2n ** 63n - 1n,
        fixed32: 2 ** 32 - 1,
        fixed64: 2n ** 64n - 1n,
        sfixed32: -(2 ** 31),
        sfixed64: -(2n ** 63n),
        bool: true,
        string: "\u{10FFFF}\uFEFF é",
        bytes,
        colour: -7,
        optionalString: "",
        optionalInt64: 0n,
        optionalColour: 0,
        place: { code: "hall", inner: { level: 3 } },
        tree: { label: "root", children: [{ label: "", children: [{ label: "leaf", children: [] }] }] },
        at: { seconds: 1_795_416_249n, nanos: 141_000_000 },
        packed: [1, -1, 0, 2 ** 31 - 1],
        unpacked: [0, 7],
        packedSint64: [-(2n ** 63n)],
        packedDouble: [0.1, Number.NaN, Number.POSITIVE_INFINITY],
        colours: [1, 0, -7],
        strings: ["", "a"],
        blobs: [new Uint8Array(0), new Uint8Array([0])],
        places: [{ code: "" }, { code: "attic" }],
        counts: new Map([
          ["", 0n],
          ["🦥", -1n]
        ]),
        placesById: new Map([[2n ** 64n - 1n, { code: "roof" }]]),
        coloursByFlag: new Map([
          [true, 1],
          [false, 0]
        ]),
        choice: { case: "raw", value: bytes.subarray(0, 3) },
        end: "end",
        default: "default",
        tag: [2n ** 64n - 1n],
        packedFloat: [1.5, -2],
        packedBool: [true, false],
        inner: { level: 0 }
      },
      json: {
        double: 5e-324,
        float: 0.5,
        int32: -2_147_483_648,
        int64: "-9223372036854775808",
        uint32: 4_294_967_295,
        uint64: "18446744073709551615",
        sint32: 2_147_483_647,
        sint64: "9223372036854775807",
        fixed32: 4_294_967_295,
        fixed64: "18446744073709551615",
        sfixed32: -2_147_483_648,
        sfixed64: "-9223372036854775808",
        bool: true,
        string: "\u{10FFFF}\uFEFF é",
        bytes: everyByte.toString("base64"),
        colour: "COLOUR_NEGATIVE",
        optional_string: "",
        optional_int64: "0",
        optional_colour: "COLOUR_UNSPECIFIED",
        place: { code: "hall", inner: { level: 3 } },
        tree: { label: "root", children: [{ children: [{ label: "leaf" }] }] },
        at: "2026-11-23T06:44:09.141Z",
        packed: [1, -1, 0, 2_147_483_647],
        unpacked: [0, 7],
        packed_sint64: ["-9223372036854775808"],
        packed_double: [0.1, "NaN", "Infinity"],
        colours: ["COLOUR_RED", "COLOUR_UNSPECIFIED", "COLOUR_NEGATIVE"],
        strings: ["", "a"],
        blobs: ["", "AA=="],
        places: [{}, { code: "attic" }],
        counts: { "": "0", "🦥": "-1" },
        places_by_id: { "18446744073709551615": { code: "roof" } },
        colours_by_flag: { true: "COLOUR_RED", false: "COLOUR_UNSPECIFIED" },
        raw: "AAEC",
        end: "end",
        default: "default",
        tag: ["18446744073709551615"],
        packed_float: [1.5, -2],
        packed_bool: [true, false],
        inner: {}
      }
    },
    {
      key: "hall",
      event: { ...noKinds, place: { code: "hall" }, choice: { case: "number", value: 0 } },
      json: { place: { code: "hall" }, number: 0 }
    }
  ]
}

export const allSamples = [sightings, lines, kinds] as const
