package io.sluice.server.cli;

import io.sluice.server.LogSetup;
import io.sluice.server.tour.Tour;
import io.sluice.server.tour.TourFailedException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code sluice tour}: shows and checks what the broker does, in a temporary directory. */
@Command(
        name = "tour",
        description =
                "Passes messages through a temporary broker with clients of all three protocols, kills and restarts it, and"
                        + " checks that nothing confirmed is lost.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        exitCodeOnInvalidInput = ExitCodes.USAGE,
        exitCodeOnExecutionException = ExitCodes.SOFTWARE)
final class TourCommand implements Callable<Integer> {
    @Spec
    CommandSpec spec;

    @Override
    public Integer call() {
        LogSetup.silent();
        try {
            new Tour(spec.commandLine().getOut()).run();
            return ExitCodes.OK;
        } catch (TourFailedException e) {
            throw new CommandFailedException("The tour failed: " + e.getMessage(), e);
        }
    }
}
