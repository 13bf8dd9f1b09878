package io.sluice.server.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code sluice}: without a subcommand it starts the broker. */
@Command(
        name = "sluice",
        description = "One broker for MQTT, AMQP and Kafka clients over one shared log.",
        versionProvider = Version.class,
        mixinStandardHelpOptions = true,
        sortOptions = false,
        subcommands = {StartCommand.class, TourCommand.class, RouteCommand.class},
        exitCodeOnInvalidInput = ExitCodes.USAGE,
        exitCodeOnExecutionException = ExitCodes.SOFTWARE,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:all went well",
            "64:the command line is wrong",
            "70:something failed; the output says what",
            "78:a setting, port or directory cannot be used"
        },
        footer = {
            "",
            "Settings (--set KEY=VALUE, or SLUICE_CONF_AMQP__PORT for amqp.port, or a YAML file): see 'sluice start --help'.",
            "Environment of the launcher: SLUICE_JAVA (java binary), SLUICE_HEAP (such as 1g), SLUICE_JVM_ARGS."
        })
final class SluiceCommand implements java.util.concurrent.Callable<Integer> {
    @Mixin
    final ConfigOptions options = new ConfigOptions();

    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        return StartCommand.run(options, spec.commandLine().getOut());
    }
}
