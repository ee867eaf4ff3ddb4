using System.Globalization;
using System.Text;
using Virtigo.Host;
using Virtigo.Machines;

namespace Virtigo.Environments;

/// <summary>
/// SSH into the machines of a kept environment, through their channels: a server on standard input and output (<c>sshd -i</c>), with keys
/// that are made for this environment and end with it. What the image itself has for SSH is neither used nor changed.
/// </summary>
/// <param name="folder">The environment's folder on the host.</param>
internal sealed class SshAccess(string folder)
{
    private const string GuestFolder = "/run/virtigo/ssh";
    private const int NoServer = 127;
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly Lock _gate = new();
    private Task? _keys;

    /// <summary>The command that serves one connection in a machine.</summary>
    public static IReadOnlyList<string> ServerCommand { get; } = ["/usr/sbin/sshd", "-i", "-f", GuestFolder + "/sshd_config"];

    /// <summary>Makes the keys, once.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when the host has no <c>ssh-keygen</c>.</exception>
    public Task MakeKeysAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_keys is null or { IsFaulted: true } or { IsCanceled: true })
            {
                // It takes milliseconds, and others may wait for it.
                _keys = GenerateAsync(CancellationToken.None);
            }

            return _keys.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Gives a machine what its server needs; a machine that was started anew has lost it.</summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Host"/> when the host has no <c>ssh-keygen</c>; <see cref="FailureKind.Guest"/> when the machine has no SSH server.
    /// </exception>
    public async Task PrepareAsync(Machine machine, CancellationToken cancellationToken)
    {
        await MakeKeysAsync(cancellationToken);
        string hostKey = await File.ReadAllTextAsync(HostKey(folder), cancellationToken);
        string clientKey = await File.ReadAllTextAsync(ClientKey(folder) + ".pub", cancellationToken);
        CommandResult result = await machine.ExecuteAsync(GuestScript(hostKey, clientKey), new CommandOptions { Limit = s_limit }, cancellationToken);
        if (result.ExitCode == NoServer)
        {
            throw new VirtigoException(FailureKind.Guest, $"Machine {machine.Name} has no SSH server.",
                $"Add the package openssh-server to it, or use: virtigo shell {machine.Name}");
        }

        if (!result.Succeeded)
        {
            throw new MachineCommandException(machine.Name, "prepare " + GuestFolder, result, expectedFailure: false);
        }
    }

    /// <summary>The block for a client's configuration.</summary>
    /// <param name="folder">The environment's folder on the host.</param>
    /// <param name="environment">Its name.</param>
    /// <param name="machines">Its machines.</param>
    /// <param name="command">The command that joins standard input and output to a machine's server, without the machine.</param>
    public static string ClientConfig(string folder, string environment, IReadOnlyList<string> machines, IReadOnlyList<string> command)
    {
        var text = new StringBuilder();
        foreach (string machine in machines)
        {
            string proxy = ShellQuote.Command(command[0], [.. command.Skip(1), $"{environment}/{machine}"]).Replace("%", "%%", StringComparison.Ordinal);
            text.Append(CultureInfo.InvariantCulture, $"""
                Host {machine} {environment}.{machine}
                    User root
                    HostName {machine}
                    HostKeyAlias {environment}
                    ProxyCommand {proxy}
                    IdentityFile {Value(ClientKey(folder))}
                    IdentitiesOnly yes
                    IdentityAgent none
                    UserKnownHostsFile {Value(KnownHosts(folder))}
                    GlobalKnownHostsFile /dev/null
                    StrictHostKeyChecking yes
                    UpdateHostKeys no
                    PreferredAuthentications publickey
                    LogLevel ERROR

                """);
        }

        return text.ToString();
    }

    /// <summary>What a machine is told: a configuration and keys below <c>/run</c>.</summary>
    internal static string GuestScript(string hostKey, string clientKey) => $"""
        [ -x {ServerCommand[0]} ] || exit {NoServer}
        set -e
        [ -e {GuestFolder}/sshd_config ] && exit 0
        mkdir -p /run/sshd {GuestFolder}
        chmod 0755 /run/virtigo {GuestFolder}
        umask 077
        printf %s {ShellQuote.Word(hostKey)} > {GuestFolder}/host_key
        umask 022
        printf %s {ShellQuote.Word(clientKey)} > {GuestFolder}/authorized_keys
        cat > {GuestFolder}/sshd_config.new <<'END'
        HostKey {GuestFolder}/host_key
        AuthorizedKeysFile {GuestFolder}/authorized_keys
        PermitRootLogin prohibit-password
        PubkeyAuthentication yes
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        UsePAM yes
        UseDNS no
        PrintMotd no
        PidFile none
        AcceptEnv LANG LC_*
        Subsystem sftp internal-sftp
        END
        mv {GuestFolder}/sshd_config.new {GuestFolder}/sshd_config
        """;

    private static string ClientKey(string folder) => Path.Combine(folder, "ssh_key");

    private static string HostKey(string folder) => Path.Combine(folder, "ssh_host_key");

    private static string KnownHosts(string folder) => Path.Combine(folder, "known_hosts");

    private static string Value(string path) => "\"" + path.Replace("%", "%%", StringComparison.Ordinal) + "\"";

    private async Task GenerateAsync(CancellationToken cancellationToken)
    {
        if (HostTools.Find("ssh-keygen") is null)
        {
            throw new VirtigoException(FailureKind.Host, "ssh-keygen is not installed; SSH into machines needs it, and ssh.", "apt install openssh-client");
        }

        foreach (string path in (string[])[ClientKey(folder), HostKey(folder)])
        {
            // What a call that failed left is in the way.
            File.Delete(path);
            File.Delete(path + ".pub");
            await Tool.RunAsync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "virtigo", "-f", path], cancellationToken);
        }

        string publicKey = await File.ReadAllTextAsync(HostKey(folder) + ".pub", cancellationToken);
        await AtomicFile.WriteTextAsync(KnownHosts(folder), $"* {publicKey}", cancellationToken);
    }
}
