namespace Virtigo.Appliances;

/// <summary>The ordinary user of an appliance.</summary>
/// <param name="Name">The login name.</param>
/// <param name="PasswordHash">The password as <c>crypt(3)</c> text, or null when the user has none and logs in by key.</param>
/// <param name="SshKeys">Public keys, each one line as in <c>authorized_keys</c>.</param>
public sealed record ApplianceUser(string Name, string? PasswordHash, IReadOnlyList<string> SshKeys)
{
    /// <summary>How a plan shows that an account has a password.</summary>
    internal const string PasswordSet = "password set";

    /// <summary>The user as it may be shown: without the hash.</summary>
    public override string ToString()
    {
        string password = PasswordHash is null ? "no password" : PasswordSet;
        return $"{Name} ({password}, {(SshKeys.Count == 1 ? "1 ssh key" : $"{SshKeys.Count} ssh keys")})";
    }
}
