using System.Globalization;
using Virtigo.Images;
using Virtigo.Tests.Archives;
using Xunit;

namespace Virtigo.GuestTests.Ubuntu;

/// <summary>
/// The whole of <c>virtigo build</c> for Ubuntu, with a medium that looks like its own (<see cref="LookAlikeMedium"/>): everything up to where
/// the installer takes over, how it is followed, and how its end and its failure are told. Ubuntu itself is installed nowhere in these tests.
/// </summary>
public sealed class UbuntuHandOverTests(Lab lab) : IAsyncLifetime
{
    private const string Hash = "$6$saltsalt$0123456789abcdef0123456789abcdef";
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vu");
    private readonly TestArchive _archive = TestArchive.Start(
        [.. ((string[])["main", "restricted", "universe", "multiverse"]).Select(component => new TestArchiveDeb("hello-" + component) { Component = component })]);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private string Spec => Path.Combine(_folder.FullName, "look-alike.yml");

    private string Medium => Path.Combine(_folder.FullName, "look-alike.iso");

    public ValueTask InitializeAsync()
    {
        foreach (string suite in (string[])["noble", "noble-updates", "noble-security"])
        {
            _archive.Publish(new TestRelease { Codename = "noble", Suite = suite, Folder = suite });
        }

        File.WriteAllText(Spec, string.Create(CultureInfo.InvariantCulture, $$"""
            distro: ubuntu
            mirror: {{_archive.Server.Uri}}
            timezone: Europe/Berlin
            user: {name: alice, password-hash: "{{Hash}}"}
            root: {password-hash: "{{Hash}}"}
            files: [{content: "hello\n", to: /etc/look-alike}]
            run: echo "ran in the target" >/ran

            """));
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _archive.DisposeAsync();
        _folder.Delete(recursive: true);
    }

    [Fact]
    public async Task An_installer_is_given_everything_is_followed_to_its_end_and_what_it_left_must_boot()
    {
        CommandResult result = await BuildAsync(fails: false);

        // The medium's own system is none: it was started from the disk that was written, and switched itself off.
        Assert.True(result.ExitCode == 9, result.People);
        Assert.Contains("The installed system ended while it booted", result.People, StringComparison.Ordinal);
        Assert.All((string[])["install: disk", "install: base system", "install: kernel", "install: packages", "install: finishing", "boot test"],
            stage => Assert.Contains(stage, result.Data + result.People, StringComparison.Ordinal));
        CheckNothingLeft();
    }

    [Fact]
    public async Task A_step_of_the_installers_that_fails_is_named_with_the_last_lines_of_its_log()
    {
        CommandResult result = await BuildAsync(fails: true);

        Assert.True(result.ExitCode == 6, result.People);
        Assert.Contains("The installer failed in the stage BaseSystem: subiquity/Install/install/curtin_install/cmd-install/stage-extract/builtin/cmd-extract failed",
            result.People, StringComparison.Ordinal);
        string report = Directory.EnumerateDirectories(lab.Paths.Reports, "*look-alike*").OrderByDescending(Directory.GetCreationTimeUtc).First();
        Assert.Contains("look-alike: curtin command extract", await File.ReadAllTextAsync(Path.Combine(report, "installer-syslog.log"), Cancel), StringComparison.Ordinal);
        foreach (string file in Directory.EnumerateFiles(report))
        {
            Assert.DoesNotContain(Hash, await File.ReadAllTextAsync(file, Cancel), StringComparison.Ordinal);
        }

        CheckNothingLeft();
    }

    private async Task<CommandResult> BuildAsync(bool fails)
    {
        string[] expected =
        [
            "#cloud-config", "autoinstall:", "  version: 1", "  timezone: \"Europe/Berlin\"", "  shutdown: \"poweroff\"",
            "    hostname: \"look-alike\"", "    username: \"alice\"", $"    password: \"{Hash}\"", "    - \"qemu-guest-agent\"",
        ];
        await LookAlikeMedium.WriteAsync(Medium, lab, expected, fails, Cancel);
        using IDisposable place = await lab.PlaceAsync();
        return await lab.RunAsync(_folder.FullName, ["build", Spec, "--medium", Medium, "--keyring", TestArchiveKey.Trusted.Keyring, "--json"]);
    }

    /// <summary>The volume with the answers is gone, and no image came of it.</summary>
    private void CheckNothingLeft()
    {
        Assert.Empty(Directory.EnumerateFiles(lab.Paths.Data, "seed.iso", SearchOption.AllDirectories));
        Assert.Null(new ImageStore(lab.Paths).List().Images.FirstOrDefault(image => image.Name == "look-alike"));
    }
}
