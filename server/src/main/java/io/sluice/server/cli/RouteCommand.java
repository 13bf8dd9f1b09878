package io.sluice.server.cli;

import java.io.PrintWriter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;

/** {@code sluice route}: routes of a running broker, over its management port. */
@Command(
        name = "route",
        description = "Adds, lists and removes routes of a running broker.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        exitCodeOnInvalidInput = ExitCodes.USAGE,
        exitCodeOnExecutionException = ExitCodes.SOFTWARE,
        footer = {
            "",
            "FROM and TO are exchange:NAME, queue:NAME, stream:NAME or mqtt:FILTER. A missing stream or queue is created.",
            "  sluice route add 'mqtt:sensors/+/temp' stream:telemetry",
            "  sluice route add stream:commands exchange:amq.topic"
        })
final class RouteCommand implements Runnable {
    private static final String ROUTES = "/sluice/v1/routes";

    @Spec
    CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "Say what to do: route add, route list or route remove.");
    }

    /** Where the broker is. */
    static final class Target {
        @Option(
                names = "--url",
                paramLabel = "URL",
                description = "Management address (default: that of the broker running on the data directory, else"
                        + " http://127.0.0.1 and management.port).")
        @Nullable
        String url;

        @Mixin
        ConfigOptions options = new ConfigOptions();

        ManagementClient connect() {
            return ManagementClient.find(url, options.load());
        }
    }

    /** Ends, key and virtual host of a route. */
    static final class RouteArguments {
        @Parameters(index = "0", paramLabel = "FROM", description = "Where messages come from.")
        String from = "";

        @Parameters(index = "1", paramLabel = "TO", description = "Where they also go.")
        String to = "";

        @Option(names = "--key", paramLabel = "PATTERN", description = "Routing key or pattern of an exchange.")
        @Nullable
        String key;

        @Option(names = "--vhost", paramLabel = "V", description = "Virtual host (default: /).")
        @Nullable
        String vhost;
    }

    @Command(name = "add", description = "Adds a route.", exitCodeOnInvalidInput = ExitCodes.USAGE)
    int add(@Mixin RouteArguments route, @Mixin Target target) {
        print("added   ", target.connect().post(ROUTES, route));
        return ExitCodes.OK;
    }

    @Command(name = "remove", description = "Removes a route.", exitCodeOnInvalidInput = ExitCodes.USAGE)
    int remove(@Mixin RouteArguments route, @Mixin Target target) {
        print("removed ", target.connect().delete(ROUTES, route));
        return ExitCodes.OK;
    }

    @Command(name = "list", description = "Lists the routes.", exitCodeOnInvalidInput = ExitCodes.USAGE)
    int list(@Mixin Target target) {
        JsonNode routes = target.connect().get(ROUTES);
        PrintWriter out = spec.commandLine().getOut();
        if (routes.isEmpty()) {
            out.println("There are no routes; 'sluice route add FROM TO' makes one.");
            return ExitCodes.OK;
        }
        out.printf(Locale.ROOT, "%-8s %-36s %-28s %-20s %s%n", "VHOST", "FROM", "TO", "KEY", "MADE BY");
        for (JsonNode route : routes) {
            out.printf(
                    Locale.ROOT,
                    "%-8s %-36s %-28s %-20s %s%n",
                    route.path("vhost").asString(),
                    route.path("from").asString(),
                    route.path("to").asString(),
                    route.path("key").asString(""),
                    route.path("origin").asString());
        }
        return ExitCodes.OK;
    }

    private void print(String done, JsonNode route) {
        String key = route.path("key").asString("");
        spec.commandLine()
                .getOut()
                .println(done + route.path("from").asString() + " -> "
                        + route.path("to").asString() + (key.isEmpty() ? "" : "  key " + key));
    }
}
