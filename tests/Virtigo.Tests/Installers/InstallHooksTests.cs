using System.Diagnostics;
using System.Text;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class InstallHooksTests
{
    private static readonly DebianUser s_user = new("alice", "", null, ["ssh-ed25519 AAAA alice@desk"]);

    private static IReadOnlyList<InitrdFile> Hooks(DebianUser? user) =>
    [
        .. InstallHooks.Shared("d-i debian-installer/language string en\n", "mirror.example:8080", new DebianDisk(), InstallMachine.Virtio),
        .. InstallHooks.Own(Choices(user), "d-i passwd/root-password-crypted password $6$x$y\n", "n0nce"),
    ];

    private static IReadOnlyList<InitrdFile> Layer(bool more) =>
        InstallHooks.Layer(Choices(null) with { Packages = new(["curl", "nano-"], "test") }, 1, "n0nce", more);

    internal static DebianChoices Choices(DebianUser? user) => new()
    {
        Hostname = new("web", "test"),
        Domain = new("internal", "test"),
        Release = new("trixie", "test"),
        Mirror = new(new Uri("http://mirror.example:8080/debian/"), "test"),
        SecurityMirror = new(new Uri("http://mirror.example/debian-security/"), "test"),
        Packages = new([], "test"),
        Locale = new("C.UTF-8", "test"),
        TimeZone = new("Etc/UTC", "test"),
        Keyboard = new("us", "test"),
        User = new(user, "test"),
        RootPasswordHash = new(null, "test"),
    };

    private static string Text(InitrdFile file) => Encoding.UTF8.GetString(file.Content.Span);

    [Fact]
    public async Task Every_script_is_a_script_that_a_plain_shell_reads()
    {
        InitrdFile[] scripts = [.. Hooks(s_user).Concat(Layer(more: true)).Where(file => Text(file).StartsWith("#!/bin/sh\n", StringComparison.Ordinal))];
        Assert.Equal(10, scripts.Length);
        foreach (InitrdFile script in scripts)
        {
            Assert.True(script.Mode.HasFlag(UnixFileMode.UserExecute), script.Path);
            using Process shell = Process.Start(new ProcessStartInfo("sh", "-n") { RedirectStandardInput = true, RedirectStandardError = true })!;
            await shell.StandardInput.WriteAsync(Text(script));
            shell.StandardInput.Close();
            string complaint = await shell.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await shell.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(shell.ExitCode == 0, $"{script.Path}: {complaint}");
        }
    }

    [Fact]
    public void What_may_hold_a_secret_is_readable_by_root_only()
    {
        InitrdFile preseed = Hooks(null).Single(file => file.Path == "virtigo/own.cfg");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, preseed.Mode);
        Assert.DoesNotContain(Hooks(null), file => file.Path != "virtigo/own.cfg" && Text(file).Contains("$6$", StringComparison.Ordinal));
    }

    [Fact]
    public void The_marker_of_the_last_step_carries_the_nonce()
    {
        Assert.Contains(Hooks(null), file => file.Path.EndsWith("98virtigo", StringComparison.Ordinal)
            && Text(file).Contains(InstallHooks.Marker("n0nce"), StringComparison.Ordinal));
    }

    [Fact]
    public void The_guest_waits_with_the_line_that_is_looked_for_and_asks_its_archives_host()
    {
        string wait = Text(Hooks(null).Single(file => file.Path.EndsWith("99virtigo", StringComparison.Ordinal)));

        Assert.Contains($"echo \"{InstallHooks.Waiting}\"", wait, StringComparison.Ordinal);
        Assert.Contains($"'http://mirror.example:8080/{InstallHooks.OwnPath}'", wait, StringComparison.Ordinal);
    }

    [Fact]
    public void A_part_that_others_build_on_has_the_installer_wait_once_more()
    {
        Assert.Contains(InstallHooks.Own(Choices(null), "", "n0nce", more: true), file => file.Path == "virtigo/more");
        Assert.Contains(Layer(more: true), file => file.Path == "virtigo/more");
        Assert.DoesNotContain(Hooks(null).Concat(Layer(more: false)), file => file.Path == "virtigo/more");
        Assert.Contains("sh curl nano- ||", Text(Layer(more: false).Single(file => file.Path == "virtigo/own")), StringComparison.Ordinal);
    }

    /// <summary>What builds on an appliance is installed over the installer's network, whatever network the appliance is to have.</summary>
    [Theory]
    [InlineData("", "sources.tar\nnetwork.tar\n", false)]
    [InlineData("exit 1", "sources.tar\n", true)]
    public async Task A_system_leaves_the_installers_network_when_all_that_builds_on_it_is_installed(string end, string done, bool failed)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-leaving");
        try
        {
            var network = new TargetNetwork { Proxy = new Uri("http://proxy.example:3128") };
            DebianChoices above = Choices(null) with { Target = TargetChoices.None with { Network = network } };
            DebianChoices below = above with { Target = above.Target with { Repositories = TargetStepsTests.Everything.Repositories } };
            IReadOnlyList<InitrdFile> first = InstallHooks.Own(below, "", "n0nce", more: true), second = InstallHooks.Layer(above, 1, "n0nce", more: false);
            InitrdFile[] leaving = [.. first.Concat(second).Where(file => file.Path.StartsWith("virtigo/leaving/", StringComparison.Ordinal))];
            Assert.Equal(["000/leave", "000/sources.tar", "001/leave", "001/network.tar"], leaving.Select(file => file.Path["virtigo/leaving/".Length..]));
            foreach (InitrdFile file in leaving)
            {
                string path = Path.Combine(folder.FullName, file.Path);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await File.WriteAllTextAsync(path, file.Path.EndsWith("/leave", StringComparison.Ordinal)
                    ? $"echo $(basename $VIRTIGO_GIVEN/*.tar) >>{folder.FullName}/done\n{end}\n" : "", TestContext.Current.CancellationToken);
            }

            string[] hooks = [.. Hooks(null).Concat(first).Select(file => Path.GetFileName(file.Path)).Where(name => name.StartsWith('9')).Distinct().Order(StringComparer.Ordinal)];
            Assert.Equal(["93virtigo-more", "93virtigo-network", "94virtigo"], hooks.SkipWhile(name => name != "93virtigo-more").Take(3));
            string script = Text(first.Single(file => file.Path.EndsWith("/93virtigo-network", StringComparison.Ordinal))).Replace("/virtigo/", $"{folder.FullName}/virtigo/", StringComparison.Ordinal);
            using Process shell = Process.Start(new ProcessStartInfo("sh", ["-c", script]))!;
            await shell.WaitForExitAsync(TestContext.Current.CancellationToken);

            Assert.Equal(failed ? 1 : 0, shell.ExitCode);
            Assert.Equal(done, await File.ReadAllTextAsync(Path.Combine(folder.FullName, "done"), TestContext.Current.CancellationToken));
            Assert.Equal(failed, File.Exists(Path.Combine(folder.FullName, "virtigo/steps/failed")));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_own_part_is_unpacked_by_tar_with_modes_time_and_entropy_of_its_own()
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("virtigo-own");
        try
        {
            var now = DateTimeOffset.FromUnixTimeSeconds(1_790_000_000);
            IReadOnlyList<InitrdFile> own = InstallHooks.Own(Choices(s_user), "d-i passwd/make-user boolean true\n", "n0nce");
            byte[] first = await InstallHooks.PackAsync(own, now, TestContext.Current.CancellationToken);
            byte[] second = await InstallHooks.PackAsync(own, now, TestContext.Current.CancellationToken);
            Assert.NotEqual(first, second);

            using Process tar = Process.Start(new ProcessStartInfo("tar", ["-xp", "-C", folder.FullName]) { RedirectStandardInput = true })!;
            await tar.StandardInput.BaseStream.WriteAsync(first, TestContext.Current.CancellationToken);
            tar.StandardInput.Close();
            await tar.WaitForExitAsync(TestContext.Current.CancellationToken);

            Assert.Equal("1790000000", await File.ReadAllTextAsync(Path.Combine(folder.FullName, "virtigo/now"), TestContext.Current.CancellationToken));
            foreach (InitrdFile file in own)
            {
                string path = Path.Combine(folder.FullName, file.Path);
                Assert.Equal(file.Content.ToArray(), await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken));
                Assert.Equal(file.Mode, File.GetUnixFileMode(path));
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("127.0.1.1\tdebian.internal\tdebian\n", "127.0.1.1\tweb.internal\tweb\n")]
    [InlineData("127.0.0.1\tlocalhost\n", "127.0.0.1\tlocalhost\n")]
    public async Task The_name_takes_the_place_of_the_first_one(string hosts, string expected)
    {
        string script = Text(Hooks(null).Single(file => file.Path == "virtigo/own"));
        string line = script.Split('\n').Single(text => text.Contains("sed -i", StringComparison.Ordinal)).Trim().Replace(" -i", "", StringComparison.Ordinal)
            .Replace("\"$root/etc/hosts\"", "", StringComparison.Ordinal);
        using Process shell = Process.Start(new ProcessStartInfo("sh", ["-c", line]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        await shell.StandardInput.WriteAsync(hosts);
        shell.StandardInput.Close();

        Assert.Equal(expected, await shell.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_user_gets_the_keys_and_without_a_password_sudo_without_one()
    {
        string With(DebianUser? user, string path) => Text(Hooks(user).Single(file => file.Path == path));

        Assert.Equal("ssh-ed25519 AAAA alice@desk\n", With(s_user, "virtigo/authorized_keys"));
        Assert.Equal("alice ALL=(ALL:ALL) NOPASSWD: ALL\n", With(s_user, "virtigo/sudoers"));
        Assert.Equal("", With(s_user with { PasswordHash = "$6$x$y" }, "virtigo/sudoers"));
        Assert.Equal("", With(null, "virtigo/authorized_keys"));
    }
}
