// Records a golden run from a Swift app (iOS 13, macOS 10.15, Linux): one file, nothing but Foundation.
//
//   let recorder = Recorder(folder: url, pipeline: "face", stages: ["decode", "preprocess", "model", "postprocess"])
//   recorder.fact("device", "model", "iPhone 17")
//   recorder.beginCase("img_001")
//   recorder.tensor("decode", "image", "uint8", [480, 640, 3], pixels)      // an array of numbers or Data
//   recorder.sample("end_to_end", nanoseconds)
//   recorder.finish()
//
// It never throws into the app: what went wrong stands in `error`, and then nothing is written. Switched off, a call returns
// at once. Tensors are copied when they are recorded; beyond `most` bytes recording stops with `error` set, or, with
// `keepLast`, forgets its oldest cases. Any thread may call it. The format is docs/golden-run.md; recorders in other
// languages write the same bytes for the same calls.
import Foundation

public final class Recorder {
    /// Switch it off and every call returns at once.
    public var on: Bool
    /// What went wrong, or nothing.
    public private(set) var error = ""

    private typealias Bytes = [UInt8]

    private struct Failure: Error {
        let why: String
        init(_ why: String) { self.why = why }
    }

    private struct Kept {
        let name: Bytes
        let stored: String
        let shape: [Int]
        let data: Data
    }

    private struct Case {
        let name: Bytes
        var entries: [Bytes] = []
        var kept: [Kept] = []
        var seen: Set<Bytes> = []
        var size = 0
        var pieces = 0
        init(_ name: Bytes) { self.name = name }
    }

    // Texts are kept as their UTF-8: Swift takes "é" and "e" with an accent for the same String, the format does not.
    private let lock = NSLock()
    private let folder: URL
    private let most: Int
    private let keepLast: Bool
    private var pipeline = Bytes()
    private var stages: [Bytes] = []
    private var madeAt = Bytes()
    private var facts: [String: [Bytes: Bytes]] = [:]
    private var cases: [Case] = []
    private var first = 0  // the cases before it were dropped
    private var names: Set<Bytes> = []
    private var held = 0
    private var pieces = 0
    private var launches: [(name: Bytes, warmup: Int)] = [(Array("0".utf8), 0)]
    private var isDefault = true  // the launch "0" that nobody named and nothing was sampled in
    private var samples: [Bytes: [Bytes: [Int64]]] = [:]
    private var finished = false

    public init(folder: URL, pipeline: String, stages: [String], on: Bool = true, most: Int = 256 << 20, keepLast: Bool = false) {
        self.folder = folder
        self.on = on
        self.most = most
        self.keepLast = keepLast
        guarded("the run was not begun") {
            self.pipeline = try Recorder.name(pipeline)
            self.stages = try stages.map { try Recorder.name($0) }
            if stages.count > 256 || Set(self.stages).count != stages.count { throw Failure("stages are at most 256, each named once") }
        }
    }

    /// When the run was made, as 2026-11-21T07:40:00Z.
    public func time(_ text: String) {
        guard on else { return }
        guarded("the time was not recorded") { madeAt = try Recorder.text(text, 2000) }
    }

    /// A fact of "model", "wrapper", "device", "runtime", "conditions" or "recorder".
    public func fact(_ section: String, _ key: String, _ text: String) {
        guard on else { return }
        guarded("a fact was not recorded") { try put(section, key, Recorder.quoted(Recorder.text(text, 2000))) }
    }

    /// A number of "runtime" or "conditions".
    public func fact(_ section: String, _ key: String, _ number: Int64) {
        guard on else { return }
        guarded("a fact was not recorded") {
            if !["runtime", "conditions"].contains(section) || number >= 1 << 53 || number <= -(1 << 53) {
                throw Failure("numbers below 2^53, in runtime and conditions")
            }
            try put(section, key, Array(String(number).utf8))
        }
    }

    /// The samples that follow belong to this start of the process, after `warmup` runs that were not kept.
    public func launch(_ name: String, warmup: Int = 0) {
        guard on else { return }
        guarded("a launch was not recorded") {
            let one = try Recorder.name(name)
            if isDefault { launches = [] }
            isDefault = false
            if launches.contains(where: { $0.name == one }) || launches.count >= 4096 || warmup < 0 || warmup >= 1 << 31 {
                throw Failure("its name is taken, or its warm-up no count, or there are more than 4096")
            }
            launches.append((one, warmup))
        }
    }

    /// One latency of this launch.
    public func sample(_ span: String, _ nanoseconds: Int64) {
        guard on else { return }
        guarded("a sample was not recorded") {
            if nanoseconds < 0 || nanoseconds >= 1 << 53 { throw Failure("it is no count of nanoseconds") }
            let one = try Recorder.name(span)
            if samples[one] == nil && samples.count >= 64 { throw Failure("there are more than 64 spans") }
            samples[one, default: [:]][launches[launches.count - 1].name, default: []].append(nanoseconds)
            isDefault = false
            held += 8
            if held > most { try hold(0, 0) }
        }
    }

    /// The tensors that follow belong to this input.
    public func beginCase(_ name: String) {
        guard on else { return }
        guarded("a case was not recorded") {
            let one = try Recorder.name(name)
            if one == Recorder.bytes("latency") || !names.insert(one).inserted { throw Failure("its name is taken") }
            cases.append(Case(one))
            try hold(256, 1)
        }
    }

    /// Values in row order. `withhold`: "hash" keeps only the SHA-256 of the bytes, "omitted" only type and shape. With
    /// `aggregates` the count, least, mean, … of the values are kept.
    public func tensor<Number: FixedWidthInteger>(_ stage: String, _ name: String, _ dtype: String, _ shape: [Int], _ values: [Number], withhold: String = "", aggregates: Bool = false) {
        guard on else { return }
        tensor(stage, name, dtype, shape, values.withUnsafeBytes { Data($0) }, withhold: withhold, aggregates: aggregates)
    }

    public func tensor(_ stage: String, _ name: String, _ dtype: String, _ shape: [Int], _ values: [Float], withhold: String = "", aggregates: Bool = false) {
        guard on else { return }
        tensor(stage, name, dtype, shape, values.withUnsafeBytes { Data($0) }, withhold: withhold, aggregates: aggregates)
    }

    public func tensor(_ stage: String, _ name: String, _ dtype: String, _ shape: [Int], _ values: [Double], withhold: String = "", aggregates: Bool = false) {
        guard on else { return }
        tensor(stage, name, dtype, shape, values.withUnsafeBytes { Data($0) }, withhold: withhold, aggregates: aggregates)
    }

    /// As above; the bytes are little endian, int4 and uint4 packed, the first in the low bits.
    public func tensor(_ stage: String, _ name: String, _ dtype: String, _ shape: [Int], _ data: Data, withhold: String = "", aggregates: Bool = false) {
        guard on else { return }
        guarded("\(stage)/\(name) was not recorded") {
            guard let stored = Recorder.stored[dtype] else { throw Failure("there is no such dtype") }
            let count = try Recorder.product(shape)
            let half = dtype == "int4" || dtype == "uint4"
            let need = half ? (count + 1) / 2 : count.multipliedReportingOverflow(by: Recorder.width(stored)).partialValue
            if data.count != need { throw Failure("\(data.count) bytes for a type and shape of \(need)") }
            let copy = Data(data)  // its indices begin at 0
            var kept = withhold.isEmpty ? [Kept(name: [], stored: stored, shape: half ? [need] : shape, data: copy)] : []
            if aggregates { kept += Recorder.summary(dtype, copy, count) }
            try declare(stage, name, dtype, shape, copy, withhold, aggregates, kept)
        }
    }

    /// Texts; without a shape, a list of them.
    public func strings(_ stage: String, _ name: String, _ texts: [String], shape: [Int]? = nil, withhold: String = "", aggregates: Bool = false) {
        guard on else { return }
        guarded("\(stage)/\(name) was not recorded") {
            let sizes = shape ?? [texts.count]
            if try Recorder.product(sizes) != texts.count { throw Failure("\(texts.count) texts for another shape") }
            var data = Data()
            var ends: [Int64] = []
            var lengths: [Int64] = []
            for one in texts {
                data.append(contentsOf: one.utf8)
                ends.append(Int64(data.count))
                lengths.append(Int64(one.utf8.count))
            }
            var kept: [Kept] = []
            if withhold.isEmpty {
                kept.append(Kept(name: [], stored: "U8", shape: [data.count], data: data))
                kept.append(Kept(name: Recorder.bytes("#offsets"), stored: "I64", shape: [ends.count], data: Recorder.packed(ends)))
            }
            if aggregates { kept += Recorder.summary("int64", Recorder.packed(lengths), texts.count) }
            try declare(stage, name, "string", sizes, data, withhold, aggregates, kept)
        }
    }

    /// Writes the folder, whole or not at all; false where `error` says why not, or recording was off.
    @discardableResult
    public func finish() -> Bool {
        guard on else { return false }
        guarded("the run was not written") { try write() }
        lock.lock()
        defer { lock.unlock() }
        finished = true
        cases = []
        first = 0
        samples = [:]
        return error.isEmpty
    }

    private func guarded(_ what: String, _ act: () throws -> Void) {
        lock.lock()
        defer { lock.unlock() }
        guard on && error.isEmpty else { return }
        do {
            if finished { throw Failure("finish() was called before") }
            try act()
        } catch let failure as Failure {
            error = "\(what): \(failure.why)"
        } catch let wrong {
            error = "\(what): \(wrong.localizedDescription)"
        }
    }

    private func put(_ section: String, _ key: String, _ value: Bytes) throws {
        if !Recorder.sections.contains(section) { throw Failure("there is no such section") }
        facts[section, default: [:]][try Recorder.text(key, 200)] = value
        if facts[section, default: [:]].count > 199 { throw Failure("a section has at most 199 facts") }
    }

    private func declare(_ stageGiven: String, _ nameGiven: String, _ dtype: String, _ shape: [Int], _ data: Data, _ withhold: String, _ aggregates: Bool, _ kept: [Kept]) throws {
        let stage = try Recorder.text(stageGiven, 200)
        let name = try Recorder.name(nameGiven)
        if cases.count == first { throw Failure("no case was begun") }
        let newest = cases.count - 1
        let key = Recorder.all(stage, Recorder.bytes("/"), name)
        if !stages.contains(stage) || cases[newest].seen.count >= 4096 || !cases[newest].seen.insert(key).inserted {
            throw Failure("there is no such stage, or it has this tensor, or its case more than 4096")
        }
        if !["", "hash", "omitted"].contains(withhold) { throw Failure("withhold is neither 'hash' nor 'omitted'") }
        var entry = Recorder.all(Recorder.bytes("{\"stage\":"), Recorder.quoted(stage), Recorder.bytes(",\"name\":"), Recorder.quoted(name))
        entry += Recorder.bytes(",\"dtype\":\"\(dtype)\",\"shape\":\(Recorder.list(shape))")
        if withhold == "hash" {
            entry += Recorder.bytes(",\"withheld\":\"hash\",\"sha256\":\"\(Recorder.sha256(data))\"")
        } else if !withhold.isEmpty {
            entry += Recorder.bytes(",\"withheld\":\"omitted\"")
        }
        entry += Recorder.bytes(aggregates ? ",\"aggregates\":true}" : "}")
        cases[newest].entries.append(entry)
        var size = 256 + entry.count
        for one in kept {
            cases[newest].kept.append(Kept(name: Recorder.all(cases[newest].name, Recorder.bytes("/"), key, one.name), stored: one.stored, shape: one.shape, data: one.data))
            size += one.data.count
        }
        try hold(size, 1 + kept.count)
    }

    /// Counts what the newest case grew by; forgets the oldest cases, or refuses, where it is too much.
    private func hold(_ size: Int, _ more: Int) throws {
        held += size
        pieces += more
        if cases.count > first {
            cases[cases.count - 1].size += size
            cases[cases.count - 1].pieces += more
        }
        while held > most || pieces > Recorder.mostPieces {
            if !keepLast || cases.count - first < 2 {
                throw Failure("more than \(most) bytes or \(Recorder.mostPieces) tensors; raise `most`, or record fewer")
            }
            held -= cases[first].size
            pieces -= cases[first].pieces
            names.remove(cases[first].name)
            cases[first] = Case([])
            first += 1
        }
    }

    private func write() throws {
        let spans = samples.keys.sorted(by: Recorder.before)
        var tensors: [Kept] = []
        for one in cases[first...] { tensors += one.kept }
        for span in spans {
            for launch in launches {
                let values = samples[span]?[launch.name] ?? []
                tensors.append(Kept(name: Recorder.all(Recorder.bytes("latency/"), span, Recorder.bytes("/"), launch.name), stored: "I64", shape: [values.count], data: Recorder.packed(values)))
            }
        }
        tensors.sort {
            let one = Recorder.width($0.stored), two = Recorder.width($1.stored)
            return one != two ? one > two : Recorder.before($0.name, $1.name)
        }
        let head = Recorder.header(tensors)
        let run = json(spans)
        if head.count > 8 << 20 || run.count > 16 << 20 || Recorder.signs(head) > 400_000 || Recorder.signs(run) > 400_000 {
            throw Failure("a reader takes no run with as many names and shapes")
        }
        let files = FileManager.default
        if files.fileExists(atPath: folder.path) { throw Failure("\(folder.path) is there already") }
        let temporary = folder.deletingLastPathComponent().appendingPathComponent(folder.lastPathComponent + ".part", isDirectory: true)
        try? files.removeItem(at: temporary)
        defer { try? files.removeItem(at: temporary) }
        try files.createDirectory(at: temporary, withIntermediateDirectories: true)
        var whole = Data(head)
        whole.reserveCapacity(head.count + tensors.reduce(0) { $0 + $1.data.count })
        for one in tensors { whole.append(one.data) }
        try whole.write(to: temporary.appendingPathComponent("tensors.safetensors"))
        try Data(run).write(to: temporary.appendingPathComponent("run.json"))
        try files.moveItem(at: temporary, to: folder)
    }

    private func json(_ spans: [Bytes]) -> Bytes {
        var text = Recorder.bytes("{\"schema\":\"edgecheck.golden/1\",\"pipeline\":")
        text += Recorder.quoted(pipeline)
        for section in Recorder.sections where section != "recorder" {
            text += Recorder.bytes(",\"\(section)\":")
            text += Recorder.object(facts[section] ?? [:])
        }
        let listed: [Bytes] = cases[first...].map { one in
            Recorder.all(Recorder.bytes("{\"name\":"), Recorder.quoted(one.name), Recorder.bytes(",\"tensors\":["), Recorder.joined(one.entries), Recorder.bytes("]}"))
        }
        let starts: [Bytes] = launches.map { one in
            Recorder.all(Recorder.bytes("{\"name\":"), Recorder.quoted(one.name), Recorder.bytes(",\"warmup\":\(one.warmup)}"))
        }
        text += Recorder.all(Recorder.bytes(",\"stages\":["), Recorder.joined(stages.map(Recorder.quoted)), Recorder.bytes("],\"cases\":["), Recorder.joined(listed))
        text += Recorder.all(Recorder.bytes("],\"latency\":{\"spans\":["), Recorder.joined(spans.map(Recorder.quoted)), Recorder.bytes("],\"launches\":["), Recorder.joined(starts))
        var recorder = facts["recorder"] ?? [Recorder.bytes("name"): Recorder.bytes("\"edgecheck\""), Recorder.bytes("version"): Recorder.bytes("\"1\"")]
        if first > 0 { recorder[Recorder.bytes("dropped")] = Recorder.bytes("\"\(first)\"") }
        text += Recorder.all(Recorder.bytes("]},\"recorder\":"), Recorder.object(recorder), Recorder.bytes(",\"time\":"), Recorder.quoted(madeAt), Recorder.bytes("}\n"))
        return text
    }

    private static let mostPieces = 20_000  // cases, tensors and what belongs to them: a reader takes no more
    private static let bins = 16
    private static let sections = ["model", "wrapper", "device", "runtime", "conditions", "recorder"]
    private static let stored = [
        "bool": "BOOL", "int4": "U8", "uint4": "U8", "int8": "I8", "uint8": "U8", "int16": "I16", "uint16": "U16", "int32": "I32", "uint32": "U32",
        "int64": "I64", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    ]

    private static func width(_ stored: String) -> Int {
        switch stored {
        case "I64", "U64", "F64": return 8
        case "I32", "U32", "F32": return 4
        case "I16", "U16", "F16", "BF16": return 2
        default: return 1
        }
    }

    /// Count, NaN, infinite, zero, least, greatest, mean, deviation and 16 bins: in double precision, one value after the other, in
    /// two passes, so that every language gets the same bits.
    private static func summary(_ dtype: String, _ data: Data, _ count: Int) -> [Kept] {
        let bytes = Array(data)
        var nan = 0, infinite = 0, zeros = 0, finite = 0
        var low = Double.infinity, high = -Double.infinity, total = 0.0, squares = 0.0
        for i in 0..<count {
            let value = number(dtype, bytes, i)
            if value.isNaN {
                nan += 1
            } else if value.isInfinite {
                infinite += 1
            } else {
                if value == 0 { zeros += 1 }
                if value < low { low = value }
                if value > high { high = value }
                total += value
                finite += 1
            }
        }
        let mean = total / Double(finite)
        let base = low * 0.5
        let width = high * 0.5 - base
        var histogram = [Int64](repeating: 0, count: bins)
        for i in 0..<count {
            let value = number(dtype, bytes, i)
            if !value.isFinite { continue }
            squares += (value - mean) * (value - mean)
            histogram[width > 0 ? min(Int((value * 0.5 - base) / width * Double(bins)), bins - 1) : 0] += 1
        }
        let deviation = squares.isFinite ? (squares / Double(finite)).squareRoot() : Double.nan
        let figures = [Double(count), Double(nan), Double(infinite), Double(zeros), low + 0.0, high + 0.0, mean, deviation]
        let bits = figures.map { Int64(bitPattern: $0.isFinite ? $0.bitPattern : 0x7ff8_0000_0000_0000) }  // one NaN only
        return [
            Kept(name: Recorder.bytes("#aggregates"), stored: "F64", shape: [8], data: packed(bits)),
            Kept(name: Recorder.bytes("#histogram"), stored: "I64", shape: [bins], data: packed(histogram)),
        ]
    }

    private static func number(_ dtype: String, _ bytes: Bytes, _ i: Int) -> Double {
        func bits(_ width: Int) -> UInt64 {
            var made: UInt64 = 0
            for at in 0..<width { made |= UInt64(bytes[i * width + at]) << UInt64(8 * at) }
            return made
        }
        switch dtype {
        case "bool": return bytes[i] != 0 ? 1 : 0
        case "int4": return Double((Int(bytes[i / 2] >> UInt8(i % 2 * 4) & 15) ^ 8) - 8)
        case "uint4": return Double(bytes[i / 2] >> UInt8(i % 2 * 4) & 15)
        case "int8": return Double(Int8(bitPattern: bytes[i]))
        case "uint8": return Double(bytes[i])
        case "int16": return Double(Int16(truncatingIfNeeded: bits(2)))
        case "uint16": return Double(bits(2))
        case "int32": return Double(Int32(truncatingIfNeeded: bits(4)))
        case "uint32": return Double(bits(4))
        case "int64": return Double(Int64(bitPattern: bits(8)))
        case "uint64": return Double(bits(8))
        case "float16": return half(UInt32(bits(2)))
        case "bfloat16": return Double(Float(bitPattern: UInt32(bits(2)) << 16))
        case "float32": return Double(Float(bitPattern: UInt32(bits(4))))
        default: return Double(bitPattern: bits(8))
        }
    }

    private static func half(_ bits: UInt32) -> Double {
        let sign = (bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ff
        if exponent == 31 { return Double(Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)) }
        if exponent > 0 { return Double(Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)) }
        let small = Double(fraction) * 5.9604644775390625e-8  // 2^-24
        return sign == 0 ? small : -small
    }

    private static func product(_ shape: [Int]) throws -> Int {
        if shape.count > 32 || shape.contains(where: { $0 < 0 || $0 >= 1 << 53 }) { throw Failure("its shape is none of at most 32 sizes") }
        if shape.contains(0) { return 0 }
        var count = 1
        for one in shape {
            if one > ((1 << 53) - 1) / count { throw Failure("its shape has too many values") }
            count *= one
        }
        return count
    }

    private static func list(_ sizes: [Int]) -> String {
        return "[" + sizes.map { String($0) }.joined(separator: ",") + "]"
    }

    /// Little endian.
    private static func packed(_ values: [Int64]) -> Data {
        return values.map { $0.littleEndian }.withUnsafeBytes { Data($0) }
    }

    /// A name becomes a path and a key.
    private static func name(_ given: String) throws -> Bytes {
        let made = try text(given, 200)
        let space = UInt8(ascii: " ")
        let bad = made.isEmpty || made == Recorder.bytes(".") || made == Recorder.bytes("..") || made.first == space || made.last == space
        if bad || made.contains(where: { $0 < 32 || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "#") }) {
            throw Failure("'\(given.prefix(60))' is no name: no slash, no '#', no space at its ends")
        }
        return made
    }

    private static func text(_ given: String, _ most: Int) throws -> Bytes {
        if given.unicodeScalars.count > most { throw Failure("a text has more than \(most) signs") }
        return Array(given.utf8)
    }

    private static func bytes(_ text: String) -> Bytes {
        return Array(text.utf8)
    }

    /// One after the other; a chain of `+` takes the compiler long.
    private static func all(_ pieces: Bytes...) -> Bytes {
        return Array(pieces.joined())
    }

    /// The order of bytes.
    private static func before(_ one: Bytes, _ two: Bytes) -> Bool {
        return one.lexicographicallyPrecedes(two)
    }

    private static func joined(_ pieces: [Bytes]) -> Bytes {
        return Array(pieces.joined(separator: [UInt8(ascii: ",")]))
    }

    private static func quoted(_ text: Bytes) -> Bytes {
        let hex = Recorder.bytes("0123456789abcdef")
        var made: Bytes = [UInt8(ascii: "\"")]
        for sign in text {
            switch sign {
            case UInt8(ascii: "\""): made += Recorder.bytes("\\\"")
            case UInt8(ascii: "\\"): made += Recorder.bytes("\\\\")
            case 10: made += Recorder.bytes("\\n")
            case 13: made += Recorder.bytes("\\r")
            case 9: made += Recorder.bytes("\\t")
            case 0..<32: made += all(bytes("\\u00"), [hex[Int(sign >> 4)], hex[Int(sign & 15)]])
            default: made.append(sign)
            }
        }
        made.append(UInt8(ascii: "\""))
        return made
    }

    /// Of key and value as JSON.
    private static func object(_ facts: [Bytes: Bytes]) -> Bytes {
        let parts: [Bytes] = facts.keys.sorted(by: before).map { key in all(quoted(key), bytes(":"), facts[key] ?? []) }
        return all(bytes("{"), joined(parts), bytes("}"))
    }

    private static func header(_ tensors: [Kept]) -> Bytes {
        var at = 0
        var parts: [Bytes] = []
        for one in tensors {
            let end = at + one.data.count
            parts.append(all(quoted(one.name), bytes(":{\"dtype\":\"\(one.stored)\",\"shape\":\(list(one.shape)),\"data_offsets\":[\(at),\(end)]}")))
            at = end
        }
        var text = all(bytes("{"), joined(parts), bytes("}"))
        text += Bytes(repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
        return all(Bytes(packed([Int64(text.count)])), text)
    }

    private static func signs(_ bytes: Bytes) -> Int {
        var count = 0
        for one in bytes where one == UInt8(ascii: "{") || one == UInt8(ascii: "[") || one == UInt8(ascii: ",") || one == UInt8(ascii: ":") { count += 1 }
        return count
    }

    /// SHA-256 (FIPS 180-4), 64 hexadecimal digits.
    private static func sha256(_ data: Data) -> String {
        var state: [UInt32] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19]
        var message = Bytes(data)
        let bits = UInt64(message.count) * 8
        message.append(0x80)
        message += Bytes(repeating: 0, count: (120 - message.count % 64) % 64)
        for at in 0..<8 { message.append(UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * at))) }
        func turn(_ x: UInt32, _ n: UInt32) -> UInt32 { return x >> n | x << (32 - n) }
        var w = [UInt32](repeating: 0, count: 64)
        for block in stride(from: 0, to: message.count, by: 64) {
            for i in 0..<16 {
                let at = block + 4 * i
                w[i] = UInt32(message[at]) << 24 | UInt32(message[at + 1]) << 16 | UInt32(message[at + 2]) << 8 | UInt32(message[at + 3])
            }
            for i in 16..<64 {
                let a = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >> 3)
                let b = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >> 10)
                w[i] = w[i - 16] &+ a &+ w[i - 7] &+ b
            }
            var v = state
            for i in 0..<64 {
                let s1 = turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)
                let choice = (v[4] & v[5]) ^ (~v[4] & v[6])
                let t1 = v[7] &+ s1 &+ choice &+ k[i] &+ w[i]
                let s0 = turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)
                let majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2])
                v = [t1 &+ s0 &+ majority, v[0], v[1], v[2], v[3] &+ t1, v[4], v[5], v[6]]
            }
            for i in 0..<8 { state[i] = state[i] &+ v[i] }
        }
        let hex = Recorder.bytes("0123456789abcdef")
        var digits = Bytes()
        for one in state { for at in 0..<8 { digits.append(hex[Int(one >> UInt32(28 - 4 * at) & 15)]) } }
        return String(decoding: digits, as: UTF8.self)
    }

    private static let k: [UInt32] = [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
        0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
        0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
        0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
        0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
        0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ]
}
