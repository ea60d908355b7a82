"""What the hardware will report for given ingredients, with the steps that lead there. Pure."""
