package io.sluice.server.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Kafka's {@code kafka-dump-log} over the segments of a data directory. The tool's libraries are older than those the broker
 * runs on, so it has a class path of its own, which the build of {@code log-core} writes down.
 */
final class DumpLog {
    private static final Path LOG_CORE = Path.of("..", "log-core", "target");

    private DumpLog() {}

    /**
     * Fails if a segment of any stream holds a batch that the tool calls invalid. Gaps in offsets are allowed: every unclean start
     * leaves one.
     *
     * @param stopped the broker stopped cleanly, so the tails are whole and the index files are checked too
     */
    static void check(Path data, boolean stopped) throws IOException, InterruptedException {
        List<Path> files;
        try (Stream<Path> all = Files.walk(data.resolve("streams"))) {
            files = all.filter(p -> p.toString().endsWith(".log")
                            || stopped
                                    && (p.toString().endsWith(".index")
                                            || p.toString().endsWith(".timeindex")))
                    .filter(p -> size(p) > 0)
                    .toList();
        }
        assertThat(files).as("segments in %s", data).isNotEmpty();
        Path output = Files.createTempFile("dump-log", ".txt");
        try {
            int code = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            LOG_CORE.resolve("kafka-tools/kafka-clients.jar") + ":"
                                    + Files.readString(LOG_CORE.resolve("test-classpath")),
                            "org.apache.kafka.tools.DumpLogSegments",
                            "--deep-iteration",
                            "--files",
                            files.stream().map(Path::toString).collect(Collectors.joining(",")))
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile())
                    .start()
                    .waitFor();
            long valid = 0;
            List<String> bad = new ArrayList<>();
            String last = "";
            try (BufferedReader lines = Files.newBufferedReader(output, StandardCharsets.ISO_8859_1)) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    valid += line.contains("isvalid: true") ? 1 : 0;
                    if (isBad(line, stopped) && bad.size() < 10) {
                        bad.add(line);
                    }
                    last = line;
                }
            }
            assertThat(code).as("kafka-dump-log ended with %s", last).isZero();
            assertThat(bad).isEmpty();
            assertThat(valid).as("valid batches in %d files", files.size()).isGreaterThan(10);
        } finally {
            Files.delete(output);
        }
    }

    private static boolean isBad(String line, boolean stopped) {
        return line.contains("isvalid: false")
                || line.startsWith("Mismatches in")
                || stopped && line.contains("invalid bytes at the end");
    }

    private static long size(Path path) {
        try {
            return Files.size(path);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
