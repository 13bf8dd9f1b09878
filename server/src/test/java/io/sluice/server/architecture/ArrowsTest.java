package io.sluice.server.architecture;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackages;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import org.junit.jupiter.api.Test;

/** The arrows of the architecture: they only point down (docs/architecture.md). */
class ArrowsTest {
    private static final String[] CORE = {
        "io.sluice.access..",
        "io.sluice.message..",
        "io.sluice.log..",
        "io.sluice.queue..",
        "io.sluice.shard..",
        "io.sluice.engine..",
        "io.sluice.io.."
    };
    private static final String ROUTING = "io.sluice.routing..";
    private static final String[] AMQP = {"io.sluice.amqp..", "io.sluice.amqp091..", "io.sluice.amqp10.."};
    private static final String MQTT = "io.sluice.mqtt..";
    private static final String NATIVE = "io.sluice.kafka..";
    private static final String SERVER = "io.sluice.server..";

    @Test
    void coreKnowsNothingAboveIt() {
        noClasses()
                .that()
                .resideInAnyPackage(CORE)
                .should()
                .dependOnClassesThat(resideInAPackage("io.sluice..").and(resideOutsideOfPackages(CORE)))
                .check(Product.CLASSES);
    }

    @Test
    void coreUsesOfNettyOnlyBuffers() {
        noClasses()
                .that()
                .resideInAnyPackage(CORE)
                .should()
                .dependOnClassesThat(resideInAPackage("io.netty..")
                        .and(resideOutsideOfPackages("io.netty.buffer..", "io.netty.util..")))
                .check(Product.CLASSES);
    }

    @Test
    void routingKnowsOnlyTheCore() {
        noClasses()
                .that()
                .resideInAPackage(ROUTING)
                .should()
                .dependOnClassesThat(resideInAnyPackage(MQTT, NATIVE, SERVER).or(resideInAnyPackage(AMQP)))
                .check(Product.CLASSES);
    }

    @Test
    void gatewaysKnowNoOtherGatewayAndNotTheServer() {
        noDependency(resideInAnyPackage(AMQP), resideInAnyPackage(MQTT, NATIVE, SERVER));
        noDependency(resideInAPackage(MQTT), resideInAnyPackage(NATIVE, SERVER).or(resideInAnyPackage(AMQP)));
        noDependency(resideInAPackage(NATIVE), resideInAnyPackage(MQTT, SERVER).or(resideInAnyPackage(AMQP)));
    }

    private static void noDependency(DescribedPredicate<JavaClass> from, DescribedPredicate<JavaClass> to) {
        noClasses().that(from).should().dependOnClassesThat(to).check(Product.CLASSES);
    }

    /** The tour is a client of the broker like any other, so it may use the public client. */
    @Test
    void kafkaCodeIsCagedInTheNativeGateway() {
        noClasses()
                .that()
                .resideOutsideOfPackages(NATIVE, "io.sluice.server.tour..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.apache.kafka..")
                .check(Product.CLASSES);
        noClasses()
                .that()
                .resideInAPackage("io.sluice.server.tour..")
                .should()
                .dependOnClassesThat(resideInAPackage("org.apache.kafka..")
                        .and(resideOutsideOfPackages(
                                "org.apache.kafka.clients..",
                                "org.apache.kafka.common",
                                "org.apache.kafka.common.header..",
                                "org.apache.kafka.common.errors..",
                                "org.apache.kafka.common.serialization..")))
                .allowEmptyShould(true)
                .check(Product.CLASSES);
    }

    /** A package and those inside it count as one here: {@code log} is the API of what {@code log.record} lays out. */
    @Test
    void packagesHaveNoCycles() {
        slices().matching("io.sluice.(*)..")
                .should()
                .beFreeOfCycles()
                .allowEmptyShould(true)
                .check(Product.CLASSES);
        slices().matching("io.sluice.mqtt.(*)..")
                .should()
                .beFreeOfCycles()
                .allowEmptyShould(true)
                .check(Product.CLASSES);
        slices().matching("io.sluice.kafka.(*)..")
                .should()
                .beFreeOfCycles()
                .allowEmptyShould(true)
                .check(Product.CLASSES);
        slices().matching("io.sluice.amqp091.(*)..")
                .should()
                .beFreeOfCycles()
                .allowEmptyShould(true)
                .check(Product.CLASSES);
        slices().matching("io.sluice.server.(*)..")
                .should()
                .beFreeOfCycles()
                .allowEmptyShould(true)
                .check(Product.CLASSES);
    }

    @Test
    void everyPackageSaysWhatItIs() {
        classes()
                .should()
                .resideInAnyPackage(Product.documentedPackages())
                .because("each package has a package-info.java with its purpose and @NullMarked")
                .check(Product.CLASSES);
    }
}
