using Virtigo.Host;

namespace Virtigo.Appliances;

/// <summary>The public keys of the person who runs Virtigo.</summary>
internal static class OwnSshKeys
{
    private const int MaxBytes = 16 * 1024;
    private static readonly string[] s_files = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub", "id_ed25519_sk.pub", "id_ecdsa_sk.pub"];

    /// <summary>The keys in the files that <c>ssh</c> itself would use, and those files; what is no key is passed over.</summary>
    public static IReadOnlyList<(string File, string Key)> Find(string directory)
    {
        var found = new List<(string, string)>();
        foreach (string file in s_files.Select(name => Path.Combine(directory, name)))
        {
            try
            {
                if (File.Exists(file) && new FileInfo(file).Length <= MaxBytes
                    && File.ReadAllText(file).Trim() is var key && ValueChecks.SshKey(key) is null)
                {
                    found.Add((file, key));
                }
            }
            catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
            {
                continue;
            }
        }

        return found;
    }

    /// <summary>The keys that the person's ssh-agent holds; none without an agent.</summary>
    public static async Task<IReadOnlyList<string>> OfAgentAsync(CancellationToken cancellationToken)
    {
        try
        {
            ToolResult said = await Tool.TryRunAsync(new ChildCommand("ssh-add", ["-L"]), ReadOnlyMemory<byte>.Empty, cancellationToken);
            return said.ExitCode == 0 ? [.. said.Output.Split('\n').Select(line => line.Trim()).Where(line => ValueChecks.SshKey(line) is null)] : [];
        }
        catch (VirtigoException missing) when (missing.Kind == FailureKind.Host)
        {
            return [];
        }
    }
}
