// Records a golden run from a Kotlin app (Android from API 21, or a JVM): one file, nothing but java.* and kotlin.*.
//
//   val recorder = Recorder(File(filesDir, "run-1"), "face", listOf("decode", "preprocess", "model", "postprocess"))
//   recorder.fact("device", "model", Build.MODEL)
//   recorder.case("img_001")
//   recorder.tensor("decode", "image", "uint8", intArrayOf(480, 640, 3), pixels)   // an array of numbers or a ByteBuffer
//   recorder.sample("end_to_end", System.nanoTime() - start)                       // nanoseconds
//   recorder.finish()
//
// It never throws into the app: what went wrong stands in `error`, and then nothing is written. Switched off, a call returns
// at once. Tensors are copied when they are recorded; beyond `most` bytes recording stops with `error` set, or, with
// `keepLast`, forgets its oldest cases. Any thread may call it. The format is docs/golden-run.md; recorders in other
// languages write the same bytes for the same calls.
package dev.edgecheck

import java.io.ByteArrayOutputStream
import java.io.File
import java.io.FileOutputStream
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest

class Recorder @JvmOverloads constructor(
    private val folder: File,
    pipeline: String,
    stages: List<String>,
    @JvmField @Volatile var on: Boolean = true,
    private val most: Long = 256L shl 20,
    private val keepLast: Boolean = false,
) {
    /** What went wrong, or nothing. */
    @Volatile
    var error: String = ""
        private set

    private class Kept(val name: String, val stored: String, val shape: LongArray, val data: ByteArray) {
        val key: ByteArray = utf8(name)
    }

    private class Case(val name: String) {
        val entries = ArrayList<String>()
        val kept = ArrayList<Kept>()
        val seen = HashSet<String>()
        var size = 0L
        var pieces = 0
    }

    private var pipeline = ""
    private var stages = emptyList<String>()
    private var time = ""
    private val facts = HashMap<String, HashMap<String, String>>()
    private val cases = LinkedHashMap<String, Case>()
    private var newest: Case? = null
    private var held = 0L
    private var pieces = 0
    private var dropped = 0
    private val launches = arrayListOf("0" to 0)
    private var default = true // the launch "0" that nobody named and nothing was sampled in
    private val samples = HashMap<String, HashMap<String, Growing>>()
    private var finished = false

    init {
        guard("the run was not begun") {
            this.pipeline = name(pipeline)
            this.stages = stages.map { name(it) }
            require(stages.size <= 256 && this.stages.toSet().size == stages.size) { "stages are at most 256, each named once" }
        }
    }

    /** When the run was made, as 2026-11-21T07:40:00Z. */
    fun time(text: String) {
        if (on) guard("the time was not recorded") { time = text(text, 2000) }
    }

    /** A fact of "model", "wrapper", "device", "runtime", "conditions" or "recorder". */
    fun fact(section: String, key: String, text: String) {
        if (on) guard("a fact was not recorded") { put(section, key, quoted(text(text, 2000))) }
    }

    /** A number of "runtime" or "conditions". */
    fun fact(section: String, key: String, number: Long) {
        if (!on) return
        guard("a fact was not recorded") {
            require((section == "runtime" || section == "conditions") && number < TWO_53 && number > -TWO_53) { "numbers below 2^53, in runtime and conditions" }
            put(section, key, number.toString())
        }
    }

    /** The samples that follow belong to this start of the process, after `warmup` runs that were not kept. */
    @JvmOverloads
    fun launch(name: String, warmup: Int = 0) {
        if (!on) return
        guard("a launch was not recorded") {
            val one = name(name)
            if (default) launches.clear()
            default = false
            require(launches.none { it.first == one } && launches.size < 4096 && warmup >= 0) { "its name is taken, or its warm-up no count, or there are more than 4096" }
            launches.add(one to warmup)
        }
    }

    /** One latency of this launch. */
    fun sample(span: String, nanoseconds: Long) {
        if (!on) return
        guard("a sample was not recorded") {
            require(nanoseconds in 0 until TWO_53) { "it is no count of nanoseconds" }
            val one = if (samples.containsKey(span)) span else name(span)
            require(samples.size < 64 || samples.containsKey(one)) { "there are more than 64 spans" }
            samples.getOrPut(one) { HashMap() }.getOrPut(launches.last().first) { Growing() }.push(nanoseconds)
            default = false
            held += 8
            if (held > most) hold(0, 0)
        }
    }

    /** The tensors that follow belong to this input. */
    fun case(name: String) {
        if (!on) return
        guard("a case was not recorded") {
            val one = name(name)
            require(one != "latency" && !cases.containsKey(one)) { "its name is taken" }
            newest = Case(one).also { cases[one] = it }
            hold(256, 1)
        }
    }

    /**
     * Values in row order; bytes are little endian, int4 and uint4 packed, the first in the low bits. Of a ByteBuffer what lies
     * between its position and its limit, which stay. `withhold`: "hash" keeps only the SHA-256 of the bytes, "omitted" only type
     * and shape. With `aggregates` the count, least, mean, … of the values are kept.
     */
    @JvmOverloads
    fun tensor(stage: String, name: String, dtype: String, shape: IntArray, values: Any, withhold: String = "", aggregates: Boolean = false) {
        if (on) guard("$stage/$name was not recorded") { record(stage, name, dtype, LongArray(shape.size) { shape[it].toLong() }, values, withhold, aggregates) }
    }

    /** Texts; without a shape, a list of them. */
    @JvmOverloads
    fun strings(stage: String, name: String, texts: List<String>, shape: IntArray? = null, withhold: String = "", aggregates: Boolean = false) {
        if (!on) return
        guard("$stage/$name was not recorded") {
            val sizes = if (shape == null) longArrayOf(texts.size.toLong()) else LongArray(shape.size) { shape[it].toLong() }
            require(product(sizes) == texts.size.toLong()) { "${texts.size} texts for another shape" }
            val bytes = ByteArrayOutputStream()
            val ends = Growing()
            val lengths = Growing()
            for (one in texts) {
                val piece = utf8(one)
                bytes.write(piece, 0, piece.size)
                ends.push(bytes.size().toLong())
                lengths.push(piece.size.toLong())
            }
            val data = bytes.toByteArray()
            val kept = ArrayList<Kept>()
            if (withhold.isEmpty()) {
                kept.add(Kept("", "U8", longArrayOf(data.size.toLong()), data))
                kept.add(Kept("#offsets", "I64", longArrayOf(texts.size.toLong()), ends.bytes()))
            }
            if (aggregates) summary(kept, "int64", lengths.bytes(), texts.size)
            declare(stage, name, "string", sizes, data, withhold, aggregates, kept)
        }
    }

    /** Writes the folder, whole or not at all; false where `error` says why not, or recording was off. */
    @Synchronized
    fun finish(): Boolean {
        if (!on) return false
        guard("the run was not written") { write() }
        finished = true
        cases.clear()
        samples.clear()
        newest = null
        return error.isEmpty()
    }

    @Synchronized
    private fun guard(what: String, act: () -> Unit) {
        if (!on || error.isNotEmpty()) return
        try {
            check(!finished) { "finish() was called before" }
            act()
        } catch (wrong: Exception) {
            error = "$what: ${wrong.message ?: wrong.javaClass.simpleName}"
        } catch (wrong: OutOfMemoryError) {
            error = OUT_OF_MEMORY
        }
    }

    private fun put(section: String, key: String, value: String) {
        require(section in SECTIONS) { "there is no such section" }
        val found = facts.getOrPut(section) { HashMap() }
        found[text(key, 200)] = value
        require(found.size <= 199) { "a section has at most 199 facts" }
    }

    private fun record(stage: String, name: String, dtype: String, shape: LongArray, values: Any, withhold: String, aggregates: Boolean) {
        val stored = requireNotNull(STORED[dtype]) { "there is no dtype '${dtype.take(60)}'" }
        val count = product(shape)
        val half = dtype == "int4" || dtype == "uint4"
        val need = if (half) (count + 1) / 2 else count * width(stored)
        val data = bytes(values, need)
        val kept = ArrayList<Kept>()
        if (withhold.isEmpty()) kept.add(Kept("", stored, if (half) longArrayOf(need) else shape, data))
        if (aggregates) summary(kept, dtype, data, count.toInt())
        declare(stage, name, dtype, shape, data, withhold, aggregates, kept)
    }

    private fun declare(stageGiven: String, nameGiven: String, dtype: String, shape: LongArray, data: ByteArray, withhold: String, aggregates: Boolean, kept: List<Kept>) {
        val stage = text(stageGiven, 200)
        val name = name(nameGiven)
        val into = checkNotNull(newest) { "no case was begun" }
        require(stage in stages && into.seen.size < 4096 && into.seen.add("$stage/$name")) { "there is no such stage, or it has this tensor, or its case more than 4096" }
        require(withhold.isEmpty() || withhold == "hash" || withhold == "omitted") { "withhold is neither 'hash' nor 'omitted'" }
        val entry = StringBuilder("{\"stage\":${quoted(stage)},\"name\":${quoted(name)},\"dtype\":\"$dtype\",\"shape\":${list(shape)}")
        if (withhold == "hash") entry.append(",\"withheld\":\"hash\",\"sha256\":\"${sha256(data)}\"")
        else if (withhold.isNotEmpty()) entry.append(",\"withheld\":\"omitted\"")
        entry.append(if (aggregates) ",\"aggregates\":true}" else "}")
        into.entries.add(entry.toString())
        var size = 256L + utf8(entry.toString()).size
        for (one in kept) {
            into.kept.add(Kept("${into.name}/$stage/$name${one.name}", one.stored, one.shape, one.data))
            size += one.data.size
        }
        hold(size, 1 + kept.size)
    }

    /** Counts what the newest case grew by; forgets the oldest cases, or refuses, where it is too much. */
    private fun hold(size: Long, more: Int) {
        held += size
        pieces += more
        newest?.let {
            it.size += size
            it.pieces += more
        }
        while (held > most || pieces > MOST_PIECES) {
            check(keepLast && cases.size > 1) { "more than $most bytes or $MOST_PIECES tensors; raise `most`, or record fewer" }
            val oldest = cases.values.first()
            cases.remove(oldest.name)
            held -= oldest.size
            pieces -= oldest.pieces
            dropped += 1
        }
    }

    private fun write() {
        val spans = samples.keys.sortedWith { a, b -> compare(utf8(a), utf8(b)) }
        val tensors = ArrayList<Kept>()
        for (one in cases.values) tensors.addAll(one.kept)
        for (span in spans) {
            for ((launch, _) in launches) {
                val data = samples.getValue(span)[launch]?.bytes() ?: ByteArray(0)
                tensors.add(Kept("latency/$span/$launch", "I64", longArrayOf(data.size / 8L), data))
            }
        }
        tensors.sortWith { a, b -> if (a.stored == b.stored || width(a.stored) == width(b.stored)) compare(a.key, b.key) else width(b.stored) - width(a.stored) }
        val first = header(tensors)
        val run = utf8(json(spans))
        check(first.size <= 8 shl 20 && run.size <= 16 shl 20 && signs(first) <= 400_000 && signs(run) <= 400_000) { "a reader takes no run with as many names and shapes" }
        check(!folder.exists()) { "$folder is there already" }
        val temporary = File(folder.path + ".part")
        temporary.deleteRecursively()
        try {
            check(temporary.mkdirs()) { "a folder cannot be made at $temporary" }
            FileOutputStream(File(temporary, "tensors.safetensors")).use { file ->
                file.write(first)
                for (one in tensors) file.write(one.data)
            }
            FileOutputStream(File(temporary, "run.json")).use { it.write(run) }
            check(temporary.renameTo(folder)) { "$temporary cannot be renamed to $folder" }
        } finally {
            temporary.deleteRecursively()
        }
    }

    private fun json(spans: List<String>): String {
        val text = StringBuilder("{\"schema\":\"edgecheck.golden/1\",\"pipeline\":${quoted(pipeline)}")
        for (section in SECTIONS) if (section != "recorder") text.append(",\"$section\":${facts(facts[section] ?: emptyMap())}")
        text.append(",\"stages\":[${stages.joinToString(",") { quoted(it) }}],\"cases\":[")
        cases.values.joinTo(text, ",") { "{\"name\":${quoted(it.name)},\"tensors\":[${it.entries.joinToString(",")}]}" }
        text.append("],\"latency\":{\"spans\":[${spans.joinToString(",") { quoted(it) }}],\"launches\":[")
        launches.joinTo(text, ",") { "{\"name\":${quoted(it.first)},\"warmup\":${it.second}}" }
        val recorder = HashMap<String, String>(facts["recorder"] ?: mapOf("name" to "\"edgecheck\"", "version" to "\"1\""))
        if (dropped > 0) recorder["dropped"] = "\"$dropped\""
        return text.append("]},\"recorder\":${facts(recorder)},\"time\":${quoted(time)}}\n").toString()
    }

    private companion object {
        const val TWO_53 = 1L shl 53
        const val MOST_PIECES = 20_000 // cases, tensors and what belongs to them: a reader takes no more
        const val BINS = 16
        const val OUT_OF_MEMORY = "out of memory"
        val SECTIONS = listOf("model", "wrapper", "device", "runtime", "conditions", "recorder")
        val STORED = mapOf(
            "bool" to "BOOL", "int4" to "U8", "uint4" to "U8", "int8" to "I8", "uint8" to "U8", "int16" to "I16", "uint16" to "U16", "int32" to "I32",
            "uint32" to "U32", "int64" to "I64", "uint64" to "U64", "float16" to "F16", "bfloat16" to "BF16", "float32" to "F32", "float64" to "F64",
        )

        fun width(stored: String): Int = when (stored) {
            "I64", "U64", "F64" -> 8
            "I32", "U32", "F32" -> 4
            "I16", "U16", "F16", "BF16" -> 2
            else -> 1
        }

        /** A copy of the values as little endian bytes; `need` of them. */
        fun bytes(values: Any, need: Long): ByteArray {
            val size = when (values) {
                is ByteArray -> values.size.toLong()
                is BooleanArray -> values.size.toLong()
                is ByteBuffer -> values.remaining().toLong()
                is ShortArray -> 2L * values.size
                is IntArray -> 4L * values.size
                is FloatArray -> 4L * values.size
                is LongArray -> 8L * values.size
                is DoubleArray -> 8L * values.size
                else -> throw IllegalArgumentException("values are no array of numbers and no ByteBuffer")
            }
            require(size == need && need <= Int.MAX_VALUE - 64) { "$size bytes for a type and shape of $need" }
            val made = ByteArray(need.toInt())
            val into = ByteBuffer.wrap(made).order(ByteOrder.LITTLE_ENDIAN)
            when (values) {
                is ByteArray -> into.put(values)
                is BooleanArray -> for (one in values) into.put(if (one) 1 else 0)
                is ByteBuffer -> into.put(values.duplicate())
                is ShortArray -> into.asShortBuffer().put(values)
                is IntArray -> into.asIntBuffer().put(values)
                is FloatArray -> into.asFloatBuffer().put(values)
                is LongArray -> into.asLongBuffer().put(values)
                is DoubleArray -> into.asDoubleBuffer().put(values)
            }
            return made
        }

        /**
         * Count, NaN, infinite, zero, least, greatest, mean, deviation and 16 bins: in double precision, one value after the other,
         * in two passes, so that every language gets the same bits.
         */
        fun summary(kept: MutableList<Kept>, dtype: String, data: ByteArray, count: Int) {
            val view = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN)
            var nan = 0
            var infinite = 0
            var zeros = 0
            var finite = 0
            var low = Double.POSITIVE_INFINITY
            var high = Double.NEGATIVE_INFINITY
            var total = 0.0
            for (i in 0 until count) {
                val value = number(dtype, view, i)
                if (value.isNaN()) nan++
                else if (value.isInfinite()) infinite++
                else {
                    if (value == 0.0) zeros++
                    if (value < low) low = value
                    if (value > high) high = value
                    total += value
                    finite++
                }
            }
            val mean = total / finite
            val base = low * 0.5
            val width = high * 0.5 - base
            var squares = 0.0
            val bins = LongArray(BINS)
            for (i in 0 until count) {
                val value = number(dtype, view, i)
                if (value.isNaN() || value.isInfinite()) continue
                squares += (value - mean) * (value - mean)
                val bin = if (width > 0) ((value * 0.5 - base) / width * BINS).toInt() else 0
                bins[minOf(bin, BINS - 1)]++
            }
            val deviation = if (squares.isInfinite()) Double.NaN else Math.sqrt(squares / finite)
            val figures = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN)
            for (one in doubleArrayOf(count.toDouble(), nan.toDouble(), infinite.toDouble(), zeros.toDouble(), low + 0.0, high + 0.0, mean, deviation)) {
                if (one.isNaN() || one.isInfinite()) figures.putLong(0x7ff8000000000000L) else figures.putDouble(one)
            }
            val histogram = Growing()
            for (one in bins) histogram.push(one)
            kept.add(Kept("#aggregates", "F64", longArrayOf(8), figures.array()))
            kept.add(Kept("#histogram", "I64", longArrayOf(BINS.toLong()), histogram.bytes()))
        }

        fun number(dtype: String, view: ByteBuffer, i: Int): Double = when (dtype) {
            "bool" -> if (view.get(i).toInt() != 0) 1.0 else 0.0
            "int4" -> (((view.get(i shr 1).toInt() shr (4 * (i and 1)) and 15) xor 8) - 8).toDouble()
            "uint4" -> (view.get(i shr 1).toInt() shr (4 * (i and 1)) and 15).toDouble()
            "int8" -> view.get(i).toDouble()
            "uint8" -> (view.get(i).toInt() and 0xff).toDouble()
            "int16" -> view.getShort(2 * i).toDouble()
            "uint16" -> (view.getShort(2 * i).toInt() and 0xffff).toDouble()
            "int32" -> view.getInt(4 * i).toDouble()
            "uint32" -> (view.getInt(4 * i).toLong() and 0xffffffffL).toDouble()
            "int64" -> view.getLong(8 * i).toDouble()
            "uint64" -> (view.getLong(8 * i) ushr 32).toDouble() * 4294967296.0 + (view.getLong(8 * i) and 0xffffffffL).toDouble() // rounded once, in the sum
            "float16" -> half(view.getShort(2 * i).toInt() and 0xffff)
            "bfloat16" -> java.lang.Float.intBitsToFloat(view.getShort(2 * i).toInt() shl 16).toDouble()
            "float32" -> view.getFloat(4 * i).toDouble()
            else -> view.getDouble(8 * i)
        }

        fun half(bits: Int): Double {
            val sign = (bits and 0x8000) shl 16
            val exponent = bits shr 10 and 31
            val fraction = bits and 0x3ff
            if (exponent == 31) return java.lang.Float.intBitsToFloat(sign or 0x7f800000 or (fraction shl 13)).toDouble()
            if (exponent > 0) return java.lang.Float.intBitsToFloat(sign or (exponent + 112 shl 23) or (fraction shl 13)).toDouble()
            return (if (sign == 0) 1 else -1) * fraction * 5.9604644775390625e-8 // 2^-24
        }

        fun product(shape: LongArray): Long {
            require(shape.size <= 32 && shape.all { it >= 0 }) { "its shape is none of at most 32 sizes" }
            var count = if (shape.any { it == 0L }) 0L else 1L
            for (one in shape) {
                require(one == 0L || count <= (TWO_53 - 1) / one) { "its shape has too many values" }
                count *= one
            }
            return count
        }

        fun list(sizes: LongArray): String = sizes.joinToString(",", "[", "]")

        /** A name becomes a path and a key. */
        fun name(given: String): String {
            val text = text(given, 200)
            val bad = text.isEmpty() || text == "." || text == ".." || text.startsWith(" ") || text.endsWith(" ") || text.any { it < ' ' || it == '/' || it == '\\' || it == '#' }
            require(!bad) { "'${text.take(60)}' is no name: no slash, no '#', no space at its ends" }
            return text
        }

        /** Well-formed text: half a pair of UTF-16 that stands alone becomes U+FFFD. */
        fun text(given: String, most: Int): String {
            val text = StringBuilder(given)
            var i = 0
            while (i < text.length) {
                if (text[i].isHighSurrogate() && i + 1 < text.length && text[i + 1].isLowSurrogate()) i++
                else if (text[i].isSurrogate()) text.setCharAt(i, '\ufffd')
                i++
            }
            require(text.codePointCount(0, text.length) <= most) { "a text has more than $most signs" }
            return text.toString()
        }

        fun utf8(given: String): ByteArray = text(given, Int.MAX_VALUE).toByteArray(Charsets.UTF_8)

        fun compare(a: ByteArray, b: ByteArray): Int {
            for (i in 0 until minOf(a.size, b.size)) if (a[i] != b[i]) return (a[i].toInt() and 0xff) - (b[i].toInt() and 0xff)
            return a.size - b.size
        }

        fun quoted(given: String): String {
            val made = StringBuilder("\"")
            for (sign in text(given, Int.MAX_VALUE)) {
                when {
                    sign == '"' -> made.append("\\\"")
                    sign == '\\' -> made.append("\\\\")
                    sign == '\n' -> made.append("\\n")
                    sign == '\r' -> made.append("\\r")
                    sign == '\t' -> made.append("\\t")
                    sign < ' ' -> made.append("\\u00").append(HEX[sign.code shr 4]).append(HEX[sign.code and 15])
                    else -> made.append(sign)
                }
            }
            return made.append('"').toString()
        }

        /** Of key and value as JSON. */
        fun facts(found: Map<String, String>): String = found.keys.sortedWith { a, b -> compare(utf8(a), utf8(b)) }.joinToString(",", "{", "}") { "${quoted(it)}:${found[it]}" }

        fun header(tensors: List<Kept>): ByteArray {
            val text = StringBuilder("{")
            var at = 0L
            for (one in tensors) {
                if (at > 0 || text.length > 1) text.append(',')
                text.append("${quoted(one.name)}:{\"dtype\":\"${one.stored}\",\"shape\":${list(one.shape)},\"data_offsets\":[$at,${at + one.data.size}]}")
                at += one.data.size
            }
            val bytes = utf8(text.append('}').toString())
            val padded = (bytes.size + 7) / 8 * 8
            val whole = ByteArray(8 + padded) { 32 }
            ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).putLong(padded.toLong()).put(bytes)
            return whole
        }

        fun signs(bytes: ByteArray): Int = bytes.count { it.toInt().toChar() in "{[,:" }

        fun sha256(data: ByteArray): String {
            val made = StringBuilder()
            for (one in MessageDigest.getInstance("SHA-256").digest(data)) made.append(HEX[one.toInt() shr 4 and 15]).append(HEX[one.toInt() and 15])
            return made.toString()
        }

        const val HEX = "0123456789abcdef"
    }

    /** int64, little endian, in a buffer that grows. */
    private class Growing {
        private var values = LongArray(8)
        private var size = 0

        fun push(value: Long) {
            if (size == values.size) values = values.copyOf(2 * size)
            values[size++] = value
        }

        fun bytes(): ByteArray {
            val made = ByteArray(8 * size)
            ByteBuffer.wrap(made).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().put(values, 0, size)
            return made
        }
    }
}
