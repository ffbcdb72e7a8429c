// Plays a script of recorder calls (see tests/test_recorders.py) into the Kotlin recorder. Text is hexadecimal: UTF-8 behind an x,
// the units of UTF-16 behind a u. After each run it answers with a line: what went wrong, or nothing.
import dev.edgecheck.Recorder
import java.io.File
import java.nio.ByteBuffer

fun bytes(token: String) = ByteArray((token.length - 1) / 2) { token.substring(1 + 2 * it, 3 + 2 * it).toInt(16).toByte() }

fun text(token: String) = if (token[0] == 'u') token.drop(1).chunked(4).map { it.toInt(16).toChar() }.joinToString("") else String(bytes(token), Charsets.UTF_8)

fun shape(token: String) = if (token == "-") IntArray(0) else token.split(",").map { it.toInt() }.toIntArray()

fun main() {
    var recorder = Recorder(File("none"), "none", emptyList())
    for (line in System.`in`.bufferedReader().lineSequence()) {
        val w = line.split(" ")
        val withheld = { i: Int -> if (w[i] == "-") "" else w[i] }
        when (w[0]) {
            "open" -> recorder = Recorder(File(text(w[1])), text(w[2]), w.drop(5).map { text(it) }, most = w[3].toLong(), keepLast = w[4] == "1")
            "fact" -> if (w[3] == "n") recorder.fact(w[1], text(w[2]), w[4].toLong()) else recorder.fact(w[1], text(w[2]), text(w[4]))
            "time" -> recorder.time(text(w[1]))
            "launch" -> recorder.launch(text(w[1]), w[2].toInt())
            "sample" -> recorder.sample(text(w[1]), w[2].toLong())
            "case" -> recorder.case(text(w[1]))
            "tensor" -> recorder.tensor(text(w[1]), text(w[2]), w[3], shape(w[4]), ByteBuffer.wrap(bytes(w[5])), withheld(6), w[7] == "1")
            "strings" -> recorder.strings(text(w[1]), text(w[2]), w.drop(6).map { text(it) }, shape(w[3]), withheld(4), w[5] == "1")
            "close" -> {
                recorder.finish()
                println(recorder.error.replace('\n', ' '))
            }
        }
    }
}
