package io.sluice.server.architecture;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClass;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.assertj.core.api.Assertions;
import org.junit.jupiter.api.Test;

/** Rules that keep the core testable by simulation and the event loops free (docs/development.md). */
class HabitsTest {
    private static final String IO = "io.sluice.io..";
    private static final String SERVER = "io.sluice.server..";

    @Test
    void timeAndChanceComeInThroughInterfaces() {
        noClasses()
                .that()
                .resideOutsideOfPackages(IO, SERVER)
                .should()
                .callMethod(System.class, "currentTimeMillis")
                .orShould()
                .callMethod(System.class, "nanoTime")
                .orShould()
                .callMethod(Thread.class, "sleep", long.class)
                .orShould()
                .callMethod(java.util.UUID.class, "randomUUID")
                .orShould()
                .callMethod(Math.class, "random")
                .orShould()
                .callConstructor(java.util.Random.class)
                .orShould()
                .callMethod(java.time.Instant.class, "now")
                .check(Product.CLASSES);
    }

    @Test
    void filesComeInThroughInterfaces() {
        noClasses()
                .that()
                .resideOutsideOfPackages(IO, "io.sluice.server.tour..")
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.io.File")
                .check(Product.CLASSES);
        noClasses()
                .that()
                .resideOutsideOfPackages(IO, SERVER)
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.nio.file.Files")
                .check(Product.CLASSES);
    }

    /** Opening and closing wait, before the first listener and after the last; Kafka's coordinator has a thread of its own to wait on. */
    @Test
    void nobodyWaitsForAFutureOnLoopsOrShards() {
        noClasses()
                .that()
                .resideOutsideOfPackages(
                        SERVER, "io.sluice.routing.catalog..", "io.sluice.routing.replay..", "io.sluice.engine.local..")
                .and()
                .haveNameNotMatching(
                        "io\\.sluice\\.shard\\.Core|io\\.sluice\\.kafka\\.(group\\.(KafkaGroupService|OffsetsLog)|produce\\.ProducerIds).*")
                .should()
                .callMethodWhere(target(nameMatching("get|join"))
                        .and(target(owner(assignableTo(CompletableFuture.class).or(assignableTo(Future.class))))))
                .check(Product.CLASSES);
    }

    @Test
    void nothingFromTheWireNamesAClass() {
        noClasses()
                .should()
                .dependOnClassesThat()
                .haveFullyQualifiedName("java.io.ObjectInputStream")
                .check(Product.CLASSES);
    }

    @Test
    void clientsNeverSeeStageTypesOfTheOtherKind() {
        noClasses()
                .that()
                .resideInAnyPackage("io.sluice.routing", "io.sluice.queue", "io.sluice.engine", "io.sluice.log")
                .and()
                .areInterfaces()
                .should()
                .dependOnClassesThat()
                .areAssignableTo(CompletableFuture.class)
                .because(
                        "interfaces promise a " + CompletionStage.class.getSimpleName() + ", which nobody can wait for")
                .check(Product.CLASSES);
    }

    /** Public is the exception: outside API packages a top-level class is package-private or final (or an interface, enum or record). */
    @Test
    void classesAreFinalOrPackagePrivate() {
        Set<String> open = Product.CLASSES.stream()
                .filter(JavaClass::isTopLevelClass)
                .filter(type -> !type.isInterface() && !type.isEnum() && !type.isRecord())
                .filter(type -> type.getModifiers().contains(com.tngtech.archunit.core.domain.JavaModifier.PUBLIC))
                .filter(type -> !type.getModifiers().contains(com.tngtech.archunit.core.domain.JavaModifier.FINAL))
                .filter(type -> !type.getModifiers().contains(com.tngtech.archunit.core.domain.JavaModifier.ABSTRACT))
                .filter(type -> !type.getPackageName().startsWith("io.sluice.bench"))
                .map(JavaClass::getName)
                .collect(Collectors.toCollection(TreeSet::new));
        Assertions.assertThat(List.copyOf(open))
                .as("public classes that are not final")
                .isEmpty();
    }
}
