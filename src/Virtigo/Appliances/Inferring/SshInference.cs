using Virtigo.Host;

namespace Virtigo.Appliances;

/// <summary>Reads the files that describe a machine through the user's own ssh.</summary>
public static class SshInference
{
    /// <summary>
    /// What runs on the machine: it only reads, and writes an archive of settings to its output. Host keys, private keys and what
    /// is no setting stay there; the account database's hashes go only with <c>-h</c>.
    /// </summary>
    internal const string Script = """
        set -e
        cd /
        become=
        if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then become='sudo -n'; fi
        shadow=--exclude=etc/shadow*
        if [ "$1" = hashes ]; then shadow=; fi
        ls -d etc var/lib/dpkg/status var/lib/apt/extended_states var/lib/systemd/deb-systemd-helper-enabled usr/share/keyrings usr/lib/os-release \
            home/*/.ssh/authorized_keys 2>/dev/null |
            $become tar --create --file=- --ignore-failed-read --files-from=- $shadow --exclude='etc/gshadow*' --exclude='etc/ssh/ssh_host_*' \
                --exclude=etc/ssl/private --exclude='*.key' 2>/dev/null

        """;

    private const int MostErrorLines = 5;

    /// <summary>Describes a machine.</summary>
    /// <param name="host">The machine as ssh knows it: <c>user@host</c>, or a name of its configuration.</param>
    /// <param name="options">How.</param>
    /// <param name="cancellationToken">Ends ssh.</param>
    /// <exception cref="VirtigoException">There is no ssh, it does not get there, or there is no Debian.</exception>
    public static async Task<InferredSpec> OfHostAsync(string host, InferOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(options);
        if (host.Length == 0 || host[0] == '-' || host.Any(character => char.IsControl(character) || char.IsWhiteSpace(character)))
        {
            throw new VirtigoException(FailureKind.Usage, $"{SpecProblems.Quote(host)} is no machine that ssh can reach.", "Give it as ssh knows it: user@host");
        }

        string remote = $"sh -c {ShellQuote.Word(Script)} sh {(options.PasswordHashes ? "hashes" : "none")}";
        await using ChildProcess ssh = await ChildProcess.StartAsync(
            new ChildCommand("ssh", ["-T", "-o", "BatchMode=yes", "--", host, remote]) { PipeOutput = true }, cancellationToken);
        InferredSpec? found = null;
        VirtigoException? malformed = null;
        try
        {
            found = await InferredSpec.OfArchiveAsync(ssh.Output, options, cancellationToken);
        }
        catch (VirtigoException error)
        {
            malformed = error;
            ssh.Kill();
        }

        // What follows the archive's end is its padding.
        await ssh.Output.CopyToAsync(Stream.Null, cancellationToken);
        int code = await ssh.Exited.WaitAsync(cancellationToken);
        string said = string.Join(' ', ssh.ErrorTail.Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(MostErrorLines)
            .Select(line => new string([.. line.Select(character => char.IsControl(character) ? '?' : character)])));
        return code == 255
            ? throw new VirtigoException(FailureKind.Host, $"ssh does not get to {host}: {said}", $"See that this works without a question: ssh -o BatchMode=yes {host} true")
            : found ?? throw malformed!;
    }
}
