package io.sluice.server.cli;

import io.sluice.server.LogSetup;
import io.sluice.server.SluiceServer;
import io.sluice.server.config.ConfigLoader;
import io.sluice.server.config.SluiceConfig;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code sluice start}: runs the broker until it is told to stop. */
@Command(
        name = "start",
        description = "Starts the broker (the default).",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        exitCodeOnInvalidInput = ExitCodes.USAGE,
        exitCodeOnExecutionException = ExitCodes.SOFTWARE)
final class StartCommand implements Callable<Integer> {
    @Mixin
    final ConfigOptions options = new ConfigOptions();

    @Option(names = "--settings", description = "List all settings with their defaults, and end.")
    boolean settings;

    @Option(
            names = "--warm-up",
            hidden = true,
            description = "Start, use every door once and stop: the launcher records the classes this loads.")
    boolean warmUp;

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        if (settings) {
            ConfigLoader.describe().forEach(out::println);
            return ExitCodes.OK;
        }
        if (warmUp) {
            WarmUp.run(options.load());
            return ExitCodes.OK;
        }
        return run(options, out);
    }

    static int run(ConfigOptions options, PrintWriter out) {
        SluiceConfig config = options.load();
        LogSetup.level(config.logLevel());
        SluiceServer server = SluiceServer.start(config);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server), "sluice-stop"));
        Banner.print(out, server, config);
        server.awaitStop();
        return ExitCodes.OK;
    }

    /** On SIGTERM and Ctrl-C. A stop that was asked for is no error, so the exit code is not the signal's. */
    private static void stop(SluiceServer server) {
        server.close();
        Runtime.getRuntime().halt(ExitCodes.OK);
    }
}
