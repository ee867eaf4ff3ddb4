using System.Diagnostics;
using System.Text;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.Tests.Installers;

public sealed class InstallHooksTests
{
    private static readonly DebianUser s_user = new("alice", "", null, ["ssh-ed25519 AAAA alice@desk"]);

    private static IReadOnlyList<InitrdFile> Hooks(DebianUser? user) => InstallHooks.For("d-i passwd/root-password-crypted password $6$x$y\n", "n0nce", user);

    private static string Text(InitrdFile file) => Encoding.UTF8.GetString(file.Content.Span);

    [Fact]
    public async Task Every_script_is_a_script_that_a_plain_shell_reads()
    {
        InitrdFile[] scripts = [.. Hooks(s_user).Where(file => Text(file).StartsWith("#!/bin/sh\n", StringComparison.Ordinal))];
        Assert.Equal(4, scripts.Length);
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
        InitrdFile preseed = Hooks(null).Single(file => file.Path == "preseed.cfg");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, preseed.Mode);
        Assert.DoesNotContain(Hooks(null), file => file.Path != "preseed.cfg" && Text(file).Contains("$6$", StringComparison.Ordinal));
    }

    [Fact]
    public void The_marker_of_the_last_step_carries_the_nonce()
    {
        Assert.Contains(Hooks(null), file => file.Path.EndsWith("98virtigo", StringComparison.Ordinal)
            && Text(file).Contains(InstallHooks.Marker("n0nce"), StringComparison.Ordinal));
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
