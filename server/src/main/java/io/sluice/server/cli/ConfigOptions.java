package io.sluice.server.cli;

import io.sluice.server.config.ConfigLoader;
import io.sluice.server.config.SluiceConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say where settings come from. */
final class ConfigOptions {
    @Option(names = "--data", paramLabel = "DIR", description = "Directory that holds the messages (default: ./data).")
    @Nullable
    Path data;

    @Option(names = "--config", paramLabel = "FILE", description = "Configuration file (YAML).")
    @Nullable
    Path config;

    @Option(
            names = "--set",
            paramLabel = "KEY=VALUE",
            description =
                    "Set one setting, such as amqp.port=5673. May be repeated; wins over SLUICE_CONF_AMQP__PORT, which wins"
                            + " over the file.")
    List<String> set = new ArrayList<>();

    SluiceConfig load() {
        List<String> flags = new ArrayList<>(set);
        if (data != null) {
            flags.add("data=" + data);
        }
        return ConfigLoader.load(config, System.getenv(), flags);
    }
}
