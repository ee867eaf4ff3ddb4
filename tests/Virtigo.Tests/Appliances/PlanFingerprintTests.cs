using CsCheck;
using Virtigo.Appliances;
using Virtigo.Installers.Debian;
using Virtigo.Tests.Installers;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class PlanFingerprintTests
{
    internal static Setting<T> Any<T>(T value) => new(value, new Origin(OriginKind.Default, "a test"));

    internal static AppliancePlan Plan { get; } = new()
    {
        Name = Any("web"),
        Distribution = Any("debian"),
        Release = Any("trixie"),
        Architecture = Any("amd64"),
        Mirror = Any(new Uri("http://mirror.example/debian/")),
        OtherMirrors = Any<IReadOnlyList<Uri>>([]),
        SecurityMirror = Any(new Uri("http://mirror.example/debian-security/")),
        Hostname = Any("web"),
        Domain = Any("internal"),
        Packages = Any<IReadOnlyList<string>>(["curl", "nginx"]),
        DiskBytes = Any(8L << 30),
        MemoryMiB = Any(1024),
        Cpus = Any(1),
        Locale = Any("C.UTF-8"),
        TimeZone = Any("Etc/UTC"),
        Keyboard = Any("us"),
        User = Any<ApplianceUser?>(new ApplianceUser("alice", "$6$a$b", ["ssh-ed25519 AAAA"])),
        RootPasswordHash = Any<string?>(null),
    };

    [Fact]
    public void Every_single_change_gives_another_fingerprint()
    {
        ApplianceUser alice = Plan.User.Value!;
        AppliancePlan[] plans =
        [
            Plan,
            Plan with { Name = Any("webb") },
            Plan with { Distribution = Any("other") },
            Plan with { Release = Any("forky") },
            Plan with { Architecture = Any("arm64") },
            Plan with { Mirror = Any(new Uri("http://mirror.example/debian2/")) },
            Plan with { SecurityMirror = Any(new Uri("http://mirror.example/sec/")) },
            Plan with { Hostname = Any("web2") },
            Plan with { Domain = Any("example.org") },
            Plan with { Packages = Any<IReadOnlyList<string>>(["curl"]) },
            Plan with { Packages = Any<IReadOnlyList<string>>([]) },
            Plan with { Packages = Any<IReadOnlyList<string>>(["curlnginx"]) },
            Plan with { DiskBytes = Any(9L << 30) },
            Plan with { MemoryMiB = Any(1025) },
            Plan with { Cpus = Any(2) },
            Plan with { Locale = Any("de_DE.UTF-8") },
            Plan with { TimeZone = Any("Europe/Berlin") },
            Plan with { Keyboard = Any("de") },
            Plan with { User = Any<ApplianceUser?>(null) },
            Plan with { User = Any<ApplianceUser?>(alice with { Name = "bob" }) },
            Plan with { User = Any<ApplianceUser?>(alice with { PasswordHash = null }) },
            Plan with { User = Any<ApplianceUser?>(alice with { PasswordHash = "$6$a$c" }) },
            Plan with { User = Any<ApplianceUser?>(alice with { SshKeys = [] }) },
            Plan with { User = Any<ApplianceUser?>(alice with { SshKeys = ["ssh-ed25519 AAAB"] }) },
            Plan with { RootPasswordHash = Any<string?>("$6$a$b") },
        ];
        Assert.Distinct(plans.Select(plan => plan.Fingerprint));
    }

    [Fact]
    public void Every_single_change_of_what_is_done_in_the_target_gives_another_fingerprint()
    {
        static TargetChoices With(Func<TargetChoices, TargetChoices> change) => change(TargetStepsTests.Everything);
        TargetEntry file = TargetStepsTests.Everything.Files[1];
        TargetUser user = TargetStepsTests.Everything.Users[0];
        TargetRepository repository = TargetStepsTests.Everything.Repositories[0];
        DebconfSelection answer = TargetStepsTests.Everything.Debconf[0];
        TargetPin pin = TargetStepsTests.Everything.Pins[0];
        TargetChoices[] all =
        [
            TargetChoices.None,
            TargetStepsTests.Everything,
            With(t => t with { Files = [] }),
            .. ((TargetEntry[])
            [
                file with { Path = "/x" }, file with { Kind = TargetEntryKind.Link }, file with { Mode = UnixFileMode.UserRead }, file with { Content = "x"u8.ToArray() },
                file with { Owner = "x" }, file with { Group = "x" },
            ]).Select(one => With(t => t with { Files = [one] })),
            With(t => t with { Groups = [new("a", null, false)] }),
            With(t => t with { Groups = [new("a", 1, false)] }),
            With(t => t with { Groups = [new("a", null, true)] }),
            .. ((TargetUser[])
            [
                user, user with { Name = "x" }, user with { FullName = "x" }, user with { Uid = null }, user with { Shell = "/bin/sh" }, user with { Groups = [] },
                user with { Sudo = SudoRight.None }, user with { PasswordHash = null }, user with { PasswordHash = "$6$x$y" }, user with { SshKeys = [] },
                user with { Groups = ["developers"], SshKeys = ["adm"] },
            ]).Select(one => With(t => t with { Users = [one] })),
            With(t => t with { EnabledUnits = [] }),
            With(t => t with { DisabledUnits = [] }),
            With(t => t with { MaskedUnits = [] }),
            With(t => t with { Run = [] }),
            With(t => t with { FirstBoot = [] }),
            With(t => t with { Run = t.FirstBoot, FirstBoot = t.Run }),
            .. ((DebconfSelection[])[answer, answer with { Package = "x" }, answer with { Question = "x" }, answer with { Type = "string" }, answer with { Digest = "x" }])
                .Select(one => With(t => t with { Debconf = [one] })),
            .. ((TargetRepository[])
            [
                repository with { Name = "x" }, repository with { Url = new("http://x.example/") }, repository with { Suites = ["x"] },
                repository with { Components = ["x"] }, repository with { Key = "x"u8.ToArray() },
            ]).Select(one => With(t => t with { Repositories = [one] })),
            .. ((TargetPin[])[pin, pin with { Packages = ["x"] }, pin with { Pin = "version x" }, pin with { Priority = 1 }]).Select(one => With(t => t with { Pins = [one] })),
            With(t => t with { Backports = null }),
            With(t => t with { Backports = (new Uri("http://x.example/"), "trixie-backports") }),
            With(t => t with { Recommends = false }),
            With(t => t with { AutomaticUpdates = false }),
            With(t => t with { Profile = "" }),
            With(t => t with { Profile = "#!/bin/sh\n" }),
        ];
        Assert.Distinct(all.Select(choices => (Plan with { Target = new(choices, []) }).Fingerprint));
    }

    [Fact]
    public void Where_a_command_was_written_and_what_a_secret_is_do_not_matter_beside_its_digest()
    {
        static string Of(TargetChoices choices) => (Plan with { Target = new(choices, []) }).Fingerprint;
        Assert.Equal(Of(new() { Run = [new("a", "web.yml:1:1")] }), Of(new() { Run = [new("a", "web.yml:9:9")] }));
        Assert.Equal(Of(new() { Debconf = [new("a", "b", "password", "one", "digest")] }), Of(new() { Debconf = [new("a", "b", "password", "two", "digest")] }));
    }

    [Fact]
    public void Origins_and_further_mirrors_do_not_matter()
    {
        Assert.Equal(Plan.Fingerprint, (Plan with { Name = new("web", new(OriginKind.Spec, "web.yml:1")) }).Fingerprint);
        Assert.Equal(Plan.Fingerprint, (Plan with { OtherMirrors = Any<IReadOnlyList<Uri>>([new("http://b.example/")]) }).Fingerprint);
    }

    [Fact]
    public void Order_and_repetition_of_packages_do_not_matter_but_the_set_does()
    {
        Gen<string[]> packages = Gen.String[Gen.Char['a', 'c'], 2, 4].Array[0, 6];
        Gen.Select(packages, packages).Sample((one, two) =>
        {
            string First(string[] set) => (Plan with { Packages = Any<IReadOnlyList<string>>(set) }).Fingerprint;
            return First(one) == First([.. one.Reverse(), .. one.Take(1)]) && First(one) == First(two) == one.ToHashSet().SetEquals(two);
        }, iter: 2000);
    }

    [Fact]
    public void No_text_can_be_mistaken_for_another_split_of_the_same_text() =>
        Gen.Select(Gen.String[0, 12], Gen.String[0, 12], Gen.String[0, 12], Gen.String[0, 12]).Sample((host, domain, host2, domain2) =>
        {
            static string Of(string host, string domain) => (Plan with { Hostname = Any(host), Domain = Any(domain) }).Fingerprint;
            return Of(host, domain) == Of(host2, domain2) == (Utf8(host) == Utf8(host2) && Utf8(domain) == Utf8(domain2));
        }, iter: 2000);

    private static string Utf8(string text) => Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(text));

    [Fact]
    public void A_plan_prints_without_its_hashes() => Assert.DoesNotContain("$6$", $"{Plan} {Plan.User}");
}
