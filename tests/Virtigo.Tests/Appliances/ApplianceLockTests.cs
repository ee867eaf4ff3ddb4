using CsCheck;
using Virtigo.Appliances;
using Virtigo.Images;
using Virtigo.Tests.Images;
using Xunit;

namespace Virtigo.Tests.Appliances;

public sealed class ApplianceLockTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("virtigo-lock");

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string Spec => Path.Combine(_folder.FullName, "web.yml");

    private string Locked => Path.Combine(_folder.FullName, "web.lock");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task It_is_read_as_it_was_written_and_beside_its_spec()
    {
        ApplianceLock written = Lock();
        await written.SaveAsync(Locked, Token);
        await File.WriteAllTextAsync(Spec, "packages: [nginx]\n", Token);

        ApplianceLock read = await ApplianceLock.LoadAsync(Locked, Token);
        await read.SaveAsync(Locked + "2", Token);
        Assert.Equal(await File.ReadAllBytesAsync(Locked, Token), await File.ReadAllBytesAsync(Locked + "2", Token));

        AppliancePlan plan = await PlanAsync(locked: true);
        Assert.Equal("trixie", plan.Release.Value);
        Assert.Equal(Locked, plan.Release.Origin.Text);
        Assert.Contains(plan.Explain(), line => line.Key == "locked" && line.Shown.Contains("2030-05-17", StringComparison.Ordinal));
        Assert.Null((await PlanAsync(locked: false)).Lock);
    }

    [Theory]
    [InlineData("release: stable", null)]
    [InlineData("release: trixie", null)]
    [InlineData("release: bookworm", "web.yml:1: release: bookworm")]
    public async Task A_spec_of_another_release_is_refused(string spec, string? refused)
    {
        await Lock().SaveAsync(Locked, Token);
        await File.WriteAllTextAsync(Spec, spec, Token);

        if (refused is null)
        {
            Assert.Equal("trixie", (await PlanAsync(locked: true)).Release.Value);
            return;
        }

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => PlanAsync(locked: true));
        Assert.Contains(refused, error.Message, StringComparison.Ordinal);
        Assert.Contains("--update", error.Hint, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "web.lock")]
    [InlineData("null", "it is empty")]
    [InlineData("{\n  \"schema\": }", "web.lock:2:")]
    [InlineData("{}", "web.lock:1:")]
    public async Task What_is_no_lock_is_refused_with_its_place(string text, string expected)
    {
        await File.WriteAllTextAsync(Locked, text, Token);

        VirtigoException error = await Assert.ThrowsAsync<VirtigoException>(() => ApplianceLock.LoadAsync(Locked, Token));

        Assert.Equal(FailureKind.Usage, error.Kind);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lock_of_a_later_Virtigo_or_with_a_hash_that_is_none_is_refused()
    {
        async Task<string> Refused(ApplianceLock wrong)
        {
            await wrong.SaveAsync(Locked, Token);
            return (await Assert.ThrowsAsync<VirtigoException>(() => ApplianceLock.LoadAsync(Locked, Token))).Message;
        }

        Assert.Contains("schema is 99", await Refused(Lock() with { Schema = 99 }), StringComparison.Ordinal);
        Assert.Contains("'../../x' is no SHA-256", await Refused(Lock() with { Files = [new LockedFile("a", "../../x", 1)] }), StringComparison.Ordinal);
        Assert.Contains("release", await Refused(Lock() with { Release = "a b" }), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Damaged_locks_are_read_or_refused_and_nothing_else()
    {
        await Lock().SaveAsync(Locked, Token);
        byte[] whole = await File.ReadAllBytesAsync(Locked, Token);
        await Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte, Gen.Int[0, whole.Length]).SampleAsync(async (place, value, length) =>
        {
            string file = Path.Combine(_folder.FullName, Guid.NewGuid() + ".lock");
            byte[] damaged = whole[..length];
            if (place < length)
            {
                damaged[place] = value;
            }

            await File.WriteAllBytesAsync(file, damaged, Token);
            try
            {
                await ApplianceLock.LoadAsync(file, Token);
            }
            catch (VirtigoException error)
            {
                Assert.Equal(FailureKind.Usage, error.Kind);
            }

            File.Delete(file);
        }, iter: 500);
    }

    [Fact]
    public void Packages_that_differ_are_named()
    {
        ApplianceLock locked = Lock();
        Assert.Null(locked.Difference(locked.Packages));
        Assert.Equal("-nginx 1.26, +nginx 1.27", locked.Difference([new ImagePackage("nginx", "1.27", "amd64")]));
    }

    private Task<AppliancePlan> PlanAsync(bool locked) => PlanAsync(Spec, locked);

    private static async Task<AppliancePlan> PlanAsync(string spec, bool locked)
    {
        using var store = new TestStore();
        return await new AppliancePlanner(new PlannerEnvironment
        {
            Paths = store.Paths,
            ResolveRelease = (_, suite, _) => Task.FromResult(new ResolvedRelease("forky", "14", suite)),
            FindHostMirror = () => new HostMirror(new Uri("http://host.example/debian"), "/etc/apt/sources.list:1"),
            FindHostSecurityMirror = () => new HostMirror(new Uri("http://host.example/debian-security"), "/etc/apt/sources.list:2"),
            SshDirectory = store.Below("ssh"),
            ZoneInfoDirectory = store.Below("zoneinfo"),
        }).PlanAsync(await ApplianceSpec.LoadAsync(spec, new SpecOptions { Locked = locked }, Token), Token);
    }

    internal static ApplianceLock Lock() => new()
    {
        Schema = ApplianceLock.CurrentSchema,
        Plan = TestStore.KeyOf("plan"),
        Created = TestStore.Today,
        Release = "trixie",
        Suites = [.. ((string[])["trixie", "trixie-updates", "trixie-security"]).Select(suite => new LockedSuite("http://mirror.example/debian/", suite, TestStore.KeyOf(suite)))],
        Installer = new LockedSuite("http://mirror.example/debian/", "stable", TestStore.KeyOf("stable")),
        Packages = [new ImagePackage("nginx", "1.26", "amd64")],
        Files = [new LockedFile("nginx_1.26_amd64.deb", TestStore.KeyOf("nginx"), 5)],
    };
}
